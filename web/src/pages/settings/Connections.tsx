import { Badge, Button, VisuallyHidden } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconAlertTriangle, IconCheck, IconPlugConnected, IconPlus, IconQuestionMark } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Connection } from "../../client/schema";
import { CopyButton } from "../../parts/CopyButton";
import { EmptyState } from "../../parts/EmptyState";
import listClasses from "../../parts/list.module.css";
import { LoadFailed } from "../../parts/LoadFailed";
import { RowsLoading } from "../../parts/RowsLoading";
import { tell, tellProblem } from "../../parts/tell";
import classes from "./Settings.module.css";

const NewConnection = lazy(() => import("./NewConnection").then((module) => ({ default: module.NewConnection })));
const PATH = "/api/v1/connections";

export function Connections() {
  const { t } = useTranslation("settings");
  const [adding, { open, close }] = useDisclosure(false);
  const list = api.useQuery("get", PATH, { params: { query: { limit: 100 } } });
  return (
    <>
      <div className={classes.head}>
        <p>{t("connections.about")}</p>
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
          {t("connections.add")}
        </Button>
      </div>
      {list.isPending && <RowsLoading rows={3} />}
      {list.isError && list.data === undefined && <LoadFailed error={list.error} retry={list.refetch} />}
      {list.data?.items.length === 0 && <EmptyState icon={IconPlugConnected} title={t("connections.empty")} />}
      {list.data !== undefined && list.data.items.length > 0 && (
        <div className={listClasses.card}>
          <table className={listClasses.table}>
            <thead>
              <tr>
                <th scope="col">{t("column.name")}</th>
                <th scope="col">{t("connections.connector")}</th>
                <th scope="col">{t("connections.health")}</th>
                <th scope="col">{t("connections.webhook")}</th>
                <th scope="col">
                  <VisuallyHidden>{t("column.actions")}</VisuallyHidden>
                </th>
              </tr>
            </thead>
            <tbody>
              {list.data.items.map((connection) => (
                <Row key={connection.id} connection={connection} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Suspense>{adding && <NewConnection close={close} />}</Suspense>
    </>
  );
}

function Row({ connection }: { connection: Connection }) {
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
    <tr>
      <td>
        <bdi style={{ fontWeight: 560 }}>{connection.name}</bdi>
      </td>
      <td className={listClasses.quiet}>{connection.connector}</td>
      <td>
        <Health status={connection.health.status} />
      </td>
      <td>
        <span className={classes.address} dir="ltr" style={{ maxWidth: "22rem" }}>
          <code>{connection.webhook_url}</code>
          <CopyButton value={connection.webhook_url} label={t("connections.copy", { name: connection.name })} />
        </span>
      </td>
      <td>
        <Button variant="default" size="xs" loading={test.isPending} onClick={() => test.mutate({ params: { path: { id: connection.id } } })} aria-label={t("connections.testNamed", { name: connection.name })}>
          {t("connections.test")}
        </Button>
      </td>
    </tr>
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
