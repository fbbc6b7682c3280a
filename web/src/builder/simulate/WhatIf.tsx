// The last runs, executed again on this draft: what would have gone differently, run by run, and where on the graph.
import { Alert, Badge, Button, Group, NumberInput, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconRewindForward5 } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../client/http";
import type { ReplayReport } from "../../client/schema";
import { explain } from "../../parts/problem";
import styles from "../builder.module.css";
import { NO_OVERLAY, type Overlay } from "../canvas/flow";
import { keyOfPath } from "../scope/samples";
import type { TrialProps } from "./SimulatePanel";

export function WhatIf({ name, source, tree, onOverlay, onShow }: TrialProps) {
  const { t } = useTranslation("builder");
  const [last, setLast] = useState(20);
  const replay = useMutation({
    mutationFn: async () => {
      const { data, error } = await client.POST("/api/v1/workflows/{name}/replay", { params: { path: { name } }, body: { last, source } });
      if (error) throw error as unknown as Error;
      return data;
    },
  });
  const report = replay.data;
  useEffect(() => { if (report) onOverlay(differencesOverlay(report, (count) => t("simulate.differs", { count }))); }, [report, onOverlay, t]);
  return (
    <Stack gap="md">
      <Text size="sm" c="dimmed">{t("simulate.whatIfAbout")}</Text>
      <Group align="end"><NumberInput label={t("simulate.lastRuns")} min={1} max={10_000} w={140} value={last} onChange={(next) => setLast(Number(next) || 1)} /><Button leftSection={<IconRewindForward5 size={16} />} loading={replay.isPending} onClick={() => replay.mutate()}>{t("simulate.compare")}</Button></Group>
      {replay.error && <Alert color="red" icon={<IconAlertTriangle />}>{explain(replay.error)}</Alert>}
      {report && (
        <section aria-label={t("simulate.result")} data-result>
          <Text size="sm" mb="sm">{report.summary?.text ?? ""}</Text>
          <ol className={styles.timeline}>
            {report.runs.filter((run) => !run.same).map((run) => {
              const [first] = run.differences as { step?: string }[];
              const step = tree.byKey.get(keyOfPath(first?.step) ?? "");
              return (
                <li key={run.run_id}>
                  <button type="button" className={styles.moment} onClick={() => { if (step) onShow(step.pointer); }}>
                    <Badge size="sm" variant="light" color="yellow">{t("simulate.different")}</Badge>
                    <span dir="ltr">{run.run_id.slice(0, 13)}</span>
                    <small>{t("simulate.from", { step: step?.name ?? step?.key ?? first?.step ?? "" })} {run.unknown ?? ""}</small>
                  </button>
                </li>
              );
            })}
          </ol>
        </section>
      )}
    </Stack>
  );
}

/** How many runs would go differently from each step on. */
export function differencesOverlay(report: ReplayReport, word: (count: number) => string): Overlay {
  const counts = new Map<string, number>();
  for (const run of report.runs) {
    const keys = new Set((run.differences as { step?: unknown }[]).flatMap((one) => keyOfPath(one.step) ?? []));
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return { ...NO_OVERLAY, changes: new Map([...counts].map(([key, count]) => [key, word(count)])) };
}
