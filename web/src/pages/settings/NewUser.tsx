import { PasswordInput, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { DeedDialog } from "../runs/DeedDialog";
import { RoleField } from "./RoleField";

const PATH = "/api/v1/users";

export function NewUser({ close }: { close: () => void }) {
  const { t } = useTranslation(["settings", "shell"]);
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState("agent");
  const make = api.useMutation("post", PATH, {
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["get", PATH] });
      close();
    },
  });
  return (
    <DeedDialog
      title={t("settings:users.add")}
      text={t("settings:users.newText")}
      submit={t("settings:users.add")}
      pending={make.isPending}
      error={make.error}
      close={close}
      onSubmit={() => make.mutate({ body: { name, email, password, role } })}
    >
      <TextInput label={t("settings:column.name")} value={name} onChange={(event) => setName(event.currentTarget.value)} required data-autofocus autoComplete="off" />
      <TextInput label={t("shell:signIn.email")} type="email" value={email} onChange={(event) => setEmail(event.currentTarget.value)} required autoComplete="off" dir="ltr" />
      <PasswordInput
        label={t("shell:signIn.password")}
        description={t("shell:setUp.passwordHint")}
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
        required
        minLength={8}
        autoComplete="new-password"
      />
      <RoleField value={role} onChange={setRole} />
    </DeedDialog>
  );
}
