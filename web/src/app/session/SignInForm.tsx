import { Alert, Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { explain } from "../../parts/problem";
import { useSignedIn } from "./session";

export function SignInForm({ email = "" }: { email?: string }) {
  const { t } = useTranslation("shell");
  const signedIn = useSignedIn();
  const signIn = api.useMutation("post", "/api/v1/auth/sign-in", { onSuccess: signedIn });
  const form = useForm({ mode: "uncontrolled", initialValues: { email, password: "" } });
  return (
    <form onSubmit={form.onSubmit((values) => signIn.mutate({ body: values }))}>
      <Stack>
        {signIn.error !== null && (
          <Alert color="red" role="alert">
            {explain(signIn.error)}
          </Alert>
        )}
        <TextInput label={t("signIn.email")} type="email" autoComplete="username" required {...form.getInputProps("email")} />
        <PasswordInput label={t("signIn.password")} autoComplete="current-password" required {...form.getInputProps("password")} />
        <Button type="submit" loading={signIn.isPending}>
          {t("signIn.submit")}
        </Button>
      </Stack>
    </form>
  );
}
