// What happens to the runs that wait on the version before: first told without doing it, then done.
import { Alert, Button, Group, Loader, Select, Stack, Table, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../client/http";
import type { MigratedStep, MigrationReport } from "../../client/schema";
import { explain } from "../../parts/problem";
import styles from "../builder.module.css";
import { readTree } from "../document/steps";
import { isScript } from "../session/history";
import { requestBody } from "../session/requestBody";
import { wholeReport } from "./report";

export type Fate = "stay" | "move" | "restart" | "cancel";

/** `version` is the one that was just published, `after` its file. */
export function Migrate({ name, fate, version, after, onDone }: { name: string; fate: Exclude<Fate, "stay">; version: number; after: string; onDone: () => void }) {
  const { t } = useTranslation("builder");
  const [map, setMap] = useState<Record<string, string>>({});
  const targets = isScript(after) ? [] : readTree(after).all.map((step) => step.key);
  const waits = useQuery({ queryKey: ["builder", "migrate", name, version], queryFn: () => migrateAll(name, { to: version, dry_run: true }), staleTime: 0, gcTime: 0 });
  // Which steps runs wait in is told by the runs: they may be of several versions.
  const steps = [...new Set((waits.data?.steps ?? []).map((step) => step.step))];
  const request = { to: version, ...(fate === "move" ? { map } : { [fate]: steps }) };
  const plan = useQuery({ queryKey: ["builder", "migrate", name, version, fate, map, steps], queryFn: () => migrateAll(name, { ...request, dry_run: true }), enabled: waits.data !== undefined, staleTime: 0, gcTime: 0, placeholderData: (last) => last });
  const act = useMutation({ mutationFn: () => migrateAll(name, request) });
  const report = act.data ?? plan.data;
  const error = waits.error ?? plan.error ?? act.error;
  return (
    <Stack gap="md">
      {report === undefined && error === null && <Loader size="sm" />}
      {report && <Text size="sm" role="status">{t(`publish.${act.data ? "moved" : "plan"}.${fate}`, { moved: report.moved, runs: report.runs, version })}</Text>}
      {error && <Alert color="red">{explain(error)}</Alert>}
      {report && report.steps.length > 0 && (
        <Table aria-label={t("publish.places")}>
          <Table.Thead><Table.Tr><Table.Th>{t("publish.waitsIn")}</Table.Th><Table.Th>{t("publish.ofVersion")}</Table.Th><Table.Th>{t("publish.runs")}</Table.Th><Table.Th>{t("publish.goesOn")}</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {report.steps.map((step) => (
              <Table.Tr key={`${step.from} ${step.step} ${step.place}`}>
                <Table.Td><bdi>{step.step}</bdi></Table.Td>
                <Table.Td>{step.from}</Table.Td>
                <Table.Td>{step.runs}</Table.Td>
                <Table.Td>
                  {fate === "move" && !act.data && targets.length > 0 ? (
                    <Select size="xs" aria-label={t("publish.goesOnFrom", { step: step.step })} searchable clearable clearButtonProps={{ "aria-label": t("publish.notMapped") }} value={map[step.step] ?? step.to_step ?? null} placeholder={placeOf(step, t)} data={targets} onChange={(to) => setMap((old) => { const { [step.step]: _, ...rest } = old; return to === null ? rest : { ...rest, [step.step]: to }; })} />
                  ) : placeOf(step, t)}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {report && report.obstacles.length > 0 && (
        <Alert color="yellow" title={t("publish.obstacles")}>
          <ul className={styles.reasons}>
            {report.obstacles.map((obstacle) => <li key={obstacle.from + obstacle.code + obstacle.message}><span lang="en" dir="auto">{obstacle.message}</span> · {t("publish.obstacle", { count: obstacle.runs })}</li>)}
          </ul>
        </Alert>
      )}
      <Group justify="end">
        {act.data ? <Button onClick={onDone}>{t("close")}</Button> : (
          <>
            <Button variant="default" onClick={onDone}>{t("publish.leave")}</Button>
            <Button color={fate === "cancel" ? "red" : undefined} loading={act.isPending} disabled={!plan.data || plan.isPlaceholderData || plan.data.moved === 0} onClick={() => act.mutate()}>{t(`publish.do.${fate}`)}</Button>
          </>
        )}
      </Group>
    </Stack>
  );
}

type Words = ReturnType<typeof useTranslation<"builder">>["t"];

/** Where the runs of a step go on, in words; the step's own name where it is another one. */
function placeOf(step: MigratedStep, t: Words): string {
  if (step.place === "mapped" && step.to_step) return step.to_step;
  return t(`publish.place.${step.place}` as never, { defaultValue: step.place });
}

interface Request {
  to: number;
  map?: Record<string, string>;
  restart?: string[];
  cancel?: string[];
  dry_run?: boolean;
}

async function migrate(name: string, body: Request & { cursor?: string }): Promise<MigrationReport> {
  const { data, error } = await client.POST("/api/v1/workflows/{name}/migrate", { params: { path: { name } }, body: requestBody(body) });
  if (error) throw error as unknown as Error;
  return data;
}

/** All runs, page by page. */
async function migrateAll(name: string, body: Request): Promise<MigrationReport> {
  const pages = [await migrate(name, body)];
  for (let cursor = pages[0]?.next_cursor; cursor; cursor = pages.at(-1)?.next_cursor) pages.push(await migrate(name, { ...body, cursor }));
  return wholeReport(pages);
}
