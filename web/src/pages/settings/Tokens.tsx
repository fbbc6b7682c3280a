import { Badge, Button, Code } from "@mantine/core";
import { IconKey } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { lazy } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import listClasses from "../../parts/list.module.css";
import { Moment } from "../../parts/Moment";
import { tellProblem } from "../../parts/tell";
import { SettingsList } from "./SettingsList";

const NewToken = lazy(() => import("./NewToken").then((module) => ({ default: module.NewToken })));
const PATH = "/api/v1/tokens";

export function Tokens() {
  const { t } = useTranslation("settings");
  const queries = useQueryClient();
  const list = api.useQuery("get", PATH);
  const again = () => void queries.invalidateQueries({ queryKey: ["get", PATH] });
  const revoke = api.useMutation("delete", "/api/v1/tokens/{id}", { onSuccess: again, onError: tellProblem });
  return (
    <SettingsList
      about={t("tokens.about")}
      add={t("tokens.add")}
      adding={(close) => <NewToken close={close} made={again} />}
      list={list}
      empty={{ icon: IconKey, title: t("tokens.empty") }}
      columns={[
        {
          title: t("column.name"),
          cell: ({ name, hint }) => (
            <>
              <bdi className={listClasses.name}>{name}</bdi> <Code dir="ltr">{`${hint}…`}</Code>
            </>
          ),
        },
        { title: t("users.role"), cell: ({ role }) => (role === "admin" ? t("role.admin") : t("role.agent")) },
        { title: t("tokens.lastUsed"), quiet: true, cell: ({ last_used_at: at }) => (at === null ? t("never") : <Moment at={at} />) },
        {
          title: t("column.actions"),
          unseen: true,
          cell: ({ id, name, revoked_at: revoked }) =>
            revoked === null ? (
              <Button variant="default" size="xs" aria-label={t("tokens.revokeNamed", { name })} onClick={() => revoke.mutate({ params: { path: { id } } })}>
                {t("tokens.revoke")}
              </Button>
            ) : (
              <Badge variant="default" tt="none">
                {t("tokens.revoked")}
              </Badge>
            ),
        },
      ]}
    />
  );
}
