import { Alert, Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import type { FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { explain } from "../../parts/problem";
import { said } from "../../parts/said";
import { useSignedIn } from "../../client/session";

export function SignInForm({ email = "" }: { email?: string }) {
  const { t } = useTranslation("shell");
  const signedIn = useSignedIn();
  const signIn = api.useMutation("post", "/api/v1/auth/sign-in", { onSuccess: signedIn });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = said(event.currentTarget);
    signIn.mutate({ body: { email: text("email"), password: text("password") } });
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        {signIn.error !== null && (
          <Alert color="red" role="alert">
            {explain(signIn.error)}
          </Alert>
        )}
        <TextInput name="email" label={t("signIn.email")} type="email" autoComplete="username" required defaultValue={email} />
        <PasswordInput
          name="password"
          label={t("signIn.password")}
          autoComplete="current-password"
          required
          visibilityToggleButtonProps={{ "aria-label": t("signIn.showPassword") }}
        />
        <Button type="submit" loading={signIn.isPending}>
          {t("signIn.submit")}
        </Button>
      </Stack>
    </form>
  );
}
