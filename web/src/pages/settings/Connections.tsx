import { Badge, Button } from "@mantine/core";
import { IconAlertTriangle, IconCheck, IconPlugConnected, IconQuestionMark } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { lazy } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Connection } from "../../client/schema";
import { CopyButton } from "../../parts/CopyButton";
import listClasses from "../../parts/list.module.css";
import { tell, tellProblem } from "../../parts/tell";
import classes from "./Settings.module.css";
import { SettingsList } from "./SettingsList";

const NewConnection = lazy(() => import("./NewConnection").then((module) => ({ default: module.NewConnection })));
const PATH = "/api/v1/connections";

export function Connections() {
  const { t } = useTranslation("settings");
  const list = api.useQuery("get", PATH, { params: { query: { limit: 100 } } });
  return (
    <SettingsList
      about={t("connections.about")}
      add={t("connections.add")}
      adding={(close) => <NewConnection close={close} />}
      list={list}
      empty={{ icon: IconPlugConnected, title: t("connections.empty") }}
      columns={[
        { title: t("column.name"), cell: ({ name }) => <bdi className={listClasses.name}>{name}</bdi> },
        { title: t("connections.connector"), quiet: true, cell: ({ connector }) => connector },
        { title: t("connections.health"), cell: ({ health }) => <Health status={health.status} /> },
        { title: t("connections.webhook"), cell: (connection) => <Address connection={connection} /> },
        { title: t("column.actions"), unseen: true, cell: (connection) => <TestButton connection={connection} /> },
      ]}
    />
  );
}

function Address({ connection: { name, webhook_url: address } }: { connection: Connection }) {
  const { t } = useTranslation("settings");
  return (
    <span className={classes.address} dir="ltr" style={{ maxWidth: "22rem" }}>
      <code>{address}</code>
      <CopyButton value={address} label={t("connections.copy", { name })} />
    </span>
  );
}

function TestButton({ connection }: { connection: Connection }) {
  const { t } = useTranslation("settings");
  const queries = useQueryClient();
  const test = api.useMutation("post", "/api/v1/connections/{id}/test", {
    onSuccess: ({ ok, message }) => {
      if (ok) {
        tell(t("connections.works", { name: connection.name }));
      } else {
        tellProblem({ code: "unhealthy", detail: message });
      }
      void queries.invalidateQueries({ queryKey: ["get", PATH] });
    },
    onError: tellProblem,
  });
  return (
    <Button variant="default" size="xs" loading={test.isPending} onClick={() => test.mutate({ params: { path: { id: connection.id } } })} aria-label={t("connections.testNamed", { name: connection.name })}>
      {t("connections.test")}
    </Button>
  );
}

function Health({ status }: { status: string }) {
  const { t } = useTranslation("settings");
  const [color, Sign, word] =
    status === "healthy"
      ? (["teal", IconCheck, t("health.ok")] as const)
      : status === "unknown"
        ? (["gray", IconQuestionMark, t("health.unknown")] as const)
        : (["red", IconAlertTriangle, t("health.failing")] as const);
  return (
    <Badge variant="light" color={color} tt="none" fw={560} leftSection={<Sign size={13} aria-hidden />}>
      {word}
    </Badge>
  );
}
