// What happens to the runs that wait on the version before: first told without doing it, then done.
import { Alert, Button, Group, Select, Stack, Table, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../client/http";
import type { MigrationReport } from "../../client/schema";
import { explain } from "../../parts/problem";
import { readTree } from "../document/steps";
import { requestBody } from "../session/requestBody";

export type Fate = "stay" | "move" | "restart" | "cancel";

export function Migrate({ name, fate, before, after, onDone }: { name: string; fate: Fate; before: string; after: string; onDone: () => void }) {
  const { t } = useTranslation("builder");
  const [map, setMap] = useState<Record<string, string>>({});
  const steps = readTree(before).all.map((step) => step.key);
  const targets = readTree(after).all.map((step) => step.key);
  const request = { ...(fate === "move" && { map }), ...(fate === "restart" && { restart: steps }), ...(fate === "cancel" && { cancel: steps }) };
  const plan = useQuery({ queryKey: ["builder", "migrate", name, fate, map], queryFn: () => migrate(name, { ...request, dry_run: true }), staleTime: 0, gcTime: 0, placeholderData: (last) => last });
  const act = useMutation({ mutationFn: () => migrateAll(name, request) });
  const report = act.data ?? plan.data;
  return (
    <Stack gap="md">
      <Text size="sm">{t(act.data ? "publish.moved" : "publish.plan", { count: report?.moved ?? 0, runs: report?.runs ?? 0 })}</Text>
      {(plan.error ?? act.error) && <Alert color="red">{explain(plan.error ?? act.error)}</Alert>}
      {report && report.steps.length > 0 && (
        <Table aria-label={t("publish.places")}>
          <Table.Thead><Table.Tr><Table.Th>{t("publish.waitsIn")}</Table.Th><Table.Th>{t("publish.runs")}</Table.Th><Table.Th>{t("publish.goesOn")}</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {report.steps.map((step) => (
              <Table.Tr key={`${step.from} ${step.step}`}>
                <Table.Td dir="ltr">{step.step}</Table.Td>
                <Table.Td>{step.runs}</Table.Td>
                <Table.Td>
                  {fate === "move" && !act.data ? (
                    <Select size="xs" aria-label={t("publish.goesOnFrom", { step: step.step })} searchable clearable value={map[step.step] ?? step.to_step ?? null} placeholder={t(`publish.place.${step.place}` as never, { defaultValue: step.place })} data={targets} onChange={(to) => setMap((old) => { const { [step.step]: _, ...rest } = old; return to === null ? rest : { ...rest, [step.step]: to }; })} />
                  ) : t(`publish.place.${step.place}` as never, { defaultValue: step.place })}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {report?.obstacles.map((obstacle) => <Alert key={obstacle.code + obstacle.message} color="yellow" title={t("publish.obstacle", { count: obstacle.runs })}>{obstacle.message}</Alert>)}
      <Group justify="end">
        {act.data ? <Button onClick={onDone}>{t("close")}</Button> : (
          <>
            <Button variant="default" onClick={onDone}>{t("publish.leave")}</Button>
            <Button loading={act.isPending} disabled={!plan.data || plan.data.moved === 0} onClick={() => act.mutate()}>{t(`publish.do.${fate === "stay" ? "move" : fate}`)}</Button>
          </>
        )}
      </Group>
    </Stack>
  );
}

type Request = NonNullable<Parameters<typeof migrate>[1]>;

async function migrate(name: string, body: { map?: Record<string, string>; restart?: string[]; cancel?: string[]; dry_run?: boolean; cursor?: string }): Promise<MigrationReport> {
  const { data, error } = await client.POST("/api/v1/workflows/{name}/migrate", { params: { path: { name } }, body: requestBody(body) });
  if (error) throw error as unknown as Error;
  return data;
}

/** All pages; the counts of each are added up. */
async function migrateAll(name: string, body: Request): Promise<MigrationReport> {
  let whole = await migrate(name, body);
  while (whole.next_cursor) {
    const next = await migrate(name, { ...body, cursor: whole.next_cursor });
    whole = { ...next, runs: whole.runs + next.runs, moved: whole.moved + next.moved, changed: whole.changed + next.changed, steps: [...whole.steps, ...next.steps], obstacles: [...whole.obstacles, ...next.obstacles] };
  }
  return whole;
}
