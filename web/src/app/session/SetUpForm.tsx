// The first user of a new server. The address that the server shows at its start carries the code.

import { Alert, Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import type { FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { explain } from "../../parts/problem";
import { said } from "../../parts/said";
import { useSignedIn } from "../../client/session";

/** The code in the address: `/?set-up=…`. */
function codeOf(search: string): string {
  return new URLSearchParams(search).get("set-up") ?? "";
}

export function SetUpForm() {
  const { t } = useTranslation("shell");
  const signedIn = useSignedIn();
  const setUp = api.useMutation("post", "/api/v1/auth/first-run", {
    onSuccess: (session) => {
      // The code is of no use any more, and a copied address should not carry it.
      history.replaceState(null, "", "/");
      signedIn(session);
    },
  });
  const code = codeOf(location.search);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = said(event.currentTarget);
    setUp.mutate({ body: { code: code === "" ? text("code") : code, name: text("name"), email: text("email"), password: text("password") } });
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        {setUp.error !== null && (
          <Alert color="red" role="alert">
            {explain(setUp.error)}
          </Alert>
        )}
        {code === "" && <TextInput label={t("setUp.code")} description={t("setUp.codeHint")} required autoComplete="off" name="code" />}
        <TextInput label={t("setUp.name")} autoComplete="name" required name="name" />
        <TextInput label={t("signIn.email")} type="email" autoComplete="username" required name="email" />
        <PasswordInput
          label={t("signIn.password")}
          description={t("setUp.passwordHint")}
          autoComplete="new-password"
          minLength={8}
          visibilityToggleButtonProps={{ "aria-label": t("signIn.showPassword") }}
          required
          name="password"
        />
        <Button type="submit" loading={setUp.isPending}>
          {t("setUp.submit")}
        </Button>
      </Stack>
    </form>
  );
}
