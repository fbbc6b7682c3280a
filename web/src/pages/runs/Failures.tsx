// Failed runs by what went wrong: one cause, one decision, for however many runs.

import { Badge, Button, Group } from "@mantine/core";
import { IconMoodSmile, IconPlayerSkipForward, IconRefresh } from "@tabler/icons-react";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Failure } from "../../client/schema";
import { EmptyState } from "../../parts/EmptyState";
import { TextLink } from "../../parts/links";
import { LoadFailed } from "../../parts/LoadFailed";
import { Moment } from "../../parts/Moment";
import { RowsLoading } from "../../parts/RowsLoading";
import classes from "./Runs.module.css";

const BulkRepairDialog = lazy(() => import("./BulkRepairDialog").then((module) => ({ default: module.BulkRepairDialog })));

export function Failures({ workflow }: { workflow: string | undefined }) {
  const { t } = useTranslation("runs");
  const [asked, setAsked] = useState<{ action: "retry" | "skip"; cause: string } | null>(null);
  const causes = api.useQuery("get", "/api/v1/runs/failures", { params: { query: { limit: 100, ...(workflow === undefined ? {} : { workflow }) } } });
  if (causes.isPending) {
    return <RowsLoading rows={4} />;
  }
  if (causes.isError) {
    return <LoadFailed error={causes.error} retry={causes.refetch} />;
  }
  if (causes.data.items.length === 0) {
    return <EmptyState icon={IconMoodSmile} title={t("failures.none")} />;
  }
  return (
    <>
      <ul className={classes.causes}>
        {causes.data.items.map((failure) => (
          <Cause key={failure.id} failure={failure} ask={(action) => setAsked({ action, cause: failure.id })} />
        ))}
      </ul>
      <Suspense>{asked !== null && <BulkRepairDialog action={asked.action} filter={{ cause: asked.cause }} close={() => setAsked(null)} />}</Suspense>
    </>
  );
}

function Cause({ failure, ask }: { failure: Failure; ask: (action: "retry" | "skip") => void }) {
  const { t } = useTranslation("runs");
  return (
    <li className={classes.cause}>
      <div>
        <Group gap="xs" mb={4}>
          <Badge color="red" variant="light" tt="none">
            {t("failures.count", { count: failure.count })}
          </Badge>
          <bdi className={classes.strong}>{failure.workflow}</bdi>
          {failure.step !== null && <bdi className={classes.quiet}>{failure.step}</bdi>}
        </Group>
        <p className={classes.said} dir="auto">
          {failure.message}
        </p>
        <p className={classes.quiet}>
          <code>{failure.code}</code> · {t("failures.last")} <Moment at={failure.last_seen} /> ·{" "}
          <TextLink to="/runs/$id" params={{ id: failure.example }} inherit underline="always">
            {t("failures.example")}
          </TextLink>
        </p>
      </div>
      <Group gap="xs">
        <Button variant="light" size="sm" leftSection={<IconRefresh size={16} aria-hidden />} onClick={() => ask("retry")}>
          {t("bulk.retryAll")}
        </Button>
        <Button variant="default" size="sm" leftSection={<IconPlayerSkipForward size={16} aria-hidden className="onward-flip" />} onClick={() => ask("skip")}>
          {t("bulk.skipAll")}
        </Button>
      </Group>
    </li>
  );
}
