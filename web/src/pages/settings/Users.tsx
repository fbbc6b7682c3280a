import { Badge, Button } from "@mantine/core";
import { IconUsers } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { lazy } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { User } from "../../client/schema";
import listClasses from "../../parts/list.module.css";
import { Moment } from "../../parts/Moment";
import { PersonAvatar } from "../../parts/PersonAvatar";
import { tellProblem } from "../../parts/tell";
import { SettingsList } from "./SettingsList";

const NewUser = lazy(() => import("./NewUser").then((module) => ({ default: module.NewUser })));
const PATH = "/api/v1/users";

export function Users() {
  const { t } = useTranslation("settings");
  const queries = useQueryClient();
  const list = api.useQuery("get", PATH);
  const update = api.useMutation("patch", "/api/v1/users/{id}", {
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["get", PATH] }),
    onError: tellProblem,
  });
  return (
    <SettingsList
      about={t("users.about")}
      add={t("users.add")}
      adding={(close) => <NewUser close={close} />}
      list={list}
      empty={{ icon: IconUsers, title: t("users.empty") }}
      columns={[
        { title: t("column.name"), cell: (user) => <Name user={user} /> },
        { title: t("users.role"), cell: (user) => <Role user={user} /> },
        { title: t("users.lastSignIn"), quiet: true, cell: ({ last_sign_in_at: at }) => (at === null ? t("never") : <Moment at={at} />) },
        {
          title: t("column.actions"),
          unseen: true,
          cell: ({ id, name, active }) => (
            <Button
              variant="default"
              size="xs"
              aria-label={t(active ? "users.deactivateNamed" : "users.activateNamed", { name })}
              onClick={() => update.mutate({ params: { path: { id } }, body: { active: !active } })}
            >
              {t(active ? "users.deactivate" : "users.activate")}
            </Button>
          ),
        },
      ]}
    />
  );
}

function Name({ user: { name, email } }: { user: User }) {
  return (
    <div className={listClasses.person}>
      <PersonAvatar name={name} />
      <span>
        <bdi className={listClasses.name}>{name}</bdi>
        <br />
        <bdi className={listClasses.quiet}>{email}</bdi>
      </span>
    </div>
  );
}

function Role({ user: { role, active } }: { user: User }) {
  const { t } = useTranslation("settings");
  return (
    <>
      {role === "admin" ? t("role.admin") : t("role.agent")}{" "}
      {!active && (
        <Badge variant="default" tt="none">
          {t("users.inactive")}
        </Badge>
      )}
    </>
  );
}
