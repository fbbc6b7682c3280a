// The first user of a new server. The address that the server shows at its start carries the code.

import { Alert, Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { explain } from "../../parts/problem";
import { useSignedIn } from "./session";

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
  const form = useForm({ mode: "uncontrolled", initialValues: { code, name: "", email: "", password: "" } });
  return (
    <form onSubmit={form.onSubmit((values) => setUp.mutate({ body: values }))}>
      <Stack>
        {setUp.error !== null && (
          <Alert color="red" role="alert">
            {explain(setUp.error)}
          </Alert>
        )}
        {code === "" && <TextInput label={t("setUp.code")} description={t("setUp.codeHint")} required autoComplete="off" {...form.getInputProps("code")} />}
        <TextInput label={t("setUp.name")} autoComplete="name" required {...form.getInputProps("name")} />
        <TextInput label={t("signIn.email")} type="email" autoComplete="username" required {...form.getInputProps("email")} />
        <PasswordInput
          label={t("signIn.password")}
          description={t("setUp.passwordHint")}
          autoComplete="new-password"
          minLength={8}
          required
          {...form.getInputProps("password")}
        />
        <Button type="submit" loading={setUp.isPending}>
          {t("setUp.submit")}
        </Button>
      </Stack>
    </form>
  );
}
