import { Badge, Button, PasswordInput, Select, TextInput, VisuallyHidden } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import listClasses from "../../parts/list.module.css";
import { LoadFailed } from "../../parts/LoadFailed";
import { Moment } from "../../parts/Moment";
import { PersonAvatar } from "../../parts/PersonAvatar";
import { RowsLoading } from "../../parts/RowsLoading";
import { tellProblem } from "../../parts/tell";
import { DeedDialog } from "../runs/DeedDialog";
import classes from "./Settings.module.css";

const PATH = "/api/v1/users";

export function Users() {
  const { t } = useTranslation("settings");
  const queries = useQueryClient();
  const [adding, { open, close }] = useDisclosure(false);
  const list = api.useQuery("get", PATH);
  const update = api.useMutation("patch", "/api/v1/users/{id}", {
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["get", PATH] }),
    onError: tellProblem,
  });
  return (
    <>
      <div className={classes.head}>
        <p>{t("users.about")}</p>
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
          {t("users.add")}
        </Button>
      </div>
      {list.isPending && <RowsLoading rows={3} />}
      {list.isError && list.data === undefined && <LoadFailed error={list.error} retry={list.refetch} />}
      {list.data !== undefined && (
        <div className={listClasses.card}>
          <table className={listClasses.table}>
            <thead>
              <tr>
                <th scope="col">{t("column.name")}</th>
                <th scope="col">{t("users.role")}</th>
                <th scope="col">{t("users.lastSignIn")}</th>
                <th scope="col">
                  <VisuallyHidden>{t("column.actions")}</VisuallyHidden>
                </th>
              </tr>
            </thead>
            <tbody>
              {list.data.items.map((user) => (
                <tr key={user.id}>
                  <td>
                    <div className={listClasses.person}>
                      <PersonAvatar name={user.name} />
                      <span>
                        <bdi style={{ fontWeight: 560 }}>{user.name}</bdi>
                        <br />
                        <bdi className={listClasses.quiet}>{user.email}</bdi>
                      </span>
                    </div>
                  </td>
                  <td>
                    {user.role === "admin" ? t("role.admin") : t("role.agent")}{" "}
                    {!user.active && (
                      <Badge variant="default" tt="none">
                        {t("users.inactive")}
                      </Badge>
                    )}
                  </td>
                  <td className={listClasses.quiet}>{user.last_sign_in_at === null ? t("never") : <Moment at={user.last_sign_in_at} />}</td>
                  <td>
                    <Button
                      variant="default"
                      size="xs"
                      aria-label={t(user.active ? "users.deactivateNamed" : "users.activateNamed", { name: user.name })}
                      onClick={() => update.mutate({ params: { path: { id: user.id } }, body: { active: !user.active } })}
                    >
                      {t(user.active ? "users.deactivate" : "users.activate")}
                    </Button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {adding && <NewUser close={close} />}
    </>
  );
}

function NewUser({ close }: { close: () => void }) {
  const { t } = useTranslation(["settings", "shell"]);
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<string>("agent");
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
      <Select
        label={t("settings:users.role")}
        data={[
          { value: "agent", label: t("settings:role.agent") },
          { value: "admin", label: t("settings:role.admin") },
        ]}
        value={role}
        onChange={(next) => setRole(next ?? "agent")}
        allowDeselect={false}
      />
    </DeedDialog>
  );
}
