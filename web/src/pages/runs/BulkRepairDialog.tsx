// One deed for many runs: first how many and why they failed, then how fast, then how far it is.

import { Alert, Button, Group, Modal, NumberInput, Progress, Skeleton, Stack, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { BulkPreview, BulkRepair } from "../../client/schema";
import { explain } from "../../parts/problem";

type Action = "retry" | "skip" | "cancel";
export interface BulkFilter {
  workflow?: string | undefined;
  key?: string | undefined;
  cause?: string | undefined;
}

const PER_MINUTE = 60;
const PER_MINUTE_MOST = 6_000;
const LOOK_MS = 1_000;
/** What shows otherwise after many runs were repaired. */
const CHANGED = ["/api/v1/runs", "/api/v1/runs/failures"];

/** A preview tells how many; what has begun has an id. */
function isPreview(answer: BulkPreview | BulkRepair): answer is BulkPreview {
  return "count" in answer;
}

export function BulkRepairDialog({ action, filter, close }: { action: Action; filter: BulkFilter; close: () => void }) {
  const { t } = useTranslation(["runs", "shell"]);
  const [begun, setBegun] = useState<string | null>(null);
  return (
    <Modal opened onClose={close} title={t(`runs:bulk.title.${action}`)} closeButtonProps={{ "aria-label": t("shell:close") }}>
      {begun === null ? <Preview action={action} filter={filter} begin={setBegun} close={close} /> : <HowFar id={begun} close={close} />}
    </Modal>
  );
}

function Preview({ action, filter, begin, close }: { action: Action; filter: BulkFilter; begin: (id: string) => void; close: () => void }) {
  const { t } = useTranslation(["runs", "shell"]);
  const [perMinute, setPerMinute] = useState<number>(PER_MINUTE);
  const preview = api.useMutation("post", "/api/v1/runs/repair");
  const repair = api.useMutation("post", "/api/v1/runs/repair", {
    onSuccess: (answer) => {
      if (!isPreview(answer)) {
        begin(answer.id);
      }
    },
  });
  const { mutate: look } = preview;
  const { workflow, key, cause } = filter;
  useEffect(() => {
    look({ body: { action, workflow, key, cause, dry_run: true } });
  }, [look, action, workflow, key, cause]);
  const told = preview.data !== undefined && isPreview(preview.data) ? preview.data : null;
  const error = preview.error ?? repair.error;
  return (
    <Stack>
      {error !== null && (
        <Alert color="red" role="alert">
          {explain(error)}
        </Alert>
      )}
      {told === null && error === null && <Skeleton height={56} />}
      {told !== null && (
        <Alert color={told.count === 0 ? "gray" : "brand"} title={t("runs:bulk.count", { count: told.count })}>
          {told.more ? t("runs:bulk.more") : t(`runs:bulk.text.${action}`)}
        </Alert>
      )}
      <NumberInput
        label={t("runs:bulk.perMinute")}
        description={t("runs:bulk.perMinuteHint")}
        value={perMinute}
        min={1}
        max={PER_MINUTE_MOST}
        clampBehavior="strict"
        onChange={(value) => setPerMinute(typeof value === "number" ? value : PER_MINUTE)}
      />
      <Group justify="flex-end">
        <Button variant="default" onClick={close}>
          {t("shell:cancel")}
        </Button>
        <Button
          color={action === "cancel" ? "red" : undefined}
          disabled={told === null || told.count === 0}
          loading={repair.isPending}
          onClick={() => repair.mutate({ body: { action, workflow, key, cause, per_minute: perMinute } })}
        >
          {t(`runs:bulk.begin.${action}`)}
        </Button>
      </Group>
    </Stack>
  );
}

function HowFar({ id, close }: { id: string; close: () => void }) {
  const { t } = useTranslation(["runs", "shell"]);
  const repair = api.useQuery(
    "get",
    "/api/v1/runs/repair/{id}",
    { params: { path: { id } } },
    { refetchInterval: ({ state }) => (state.data?.ended_at === null ? LOOK_MS : false) },
  );
  const queries = useQueryClient();
  const ended = repair.data?.ended_at ?? null;
  useEffect(() => {
    if (ended !== null) {
      void queries.invalidateQueries({ predicate: ({ queryKey }) => CHANGED.includes(String(queryKey[1])) });
    }
  }, [ended, queries]);
  const stop = api.useMutation("post", "/api/v1/runs/repair/{id}/stop", { onSuccess: () => void repair.refetch() });
  const data = repair.data;
  if (data === undefined) {
    return <Skeleton height={80} />;
  }
  const all = data.pending + data.done + data.refused + data.stopped;
  const share = all === 0 ? 100 : Math.round((100 * (all - data.pending)) / all);
  return (
    <Stack>
      <Progress value={share} aria-label={t("runs:bulk.howFar")} />
      <div role="status">
        <Text>{t("runs:bulk.progress", { done: data.done, all, refused: data.refused })}</Text>
        <Text size="sm" c="dimmed">
          {data.ended_at === null ? t("runs:bulk.underWay") : data.stopped > 0 ? t("runs:bulk.stopped", { left: data.stopped }) : t("runs:bulk.finished")}
        </Text>
      </div>
      {data.refusals.slice(0, 5).map((refusal) => (
        <Text key={String(refusal.run_id)} size="sm" c="dimmed" dir="auto">
          {String(refusal.reason)}
        </Text>
      ))}
      <Group justify="flex-end">
        {data.ended_at === null && (
          <Button variant="default" loading={stop.isPending} onClick={() => stop.mutate({ params: { path: { id } } })}>
            {t("runs:bulk.stop")}
          </Button>
        )}
        <Button onClick={close}>{t("shell:close")}</Button>
      </Group>
    </Stack>
  );
}
