// One start, or a crowd, played in virtual time: which way, when, and what would be sent.
import { Alert, Badge, Button, Group, JsonInput, NumberInput, SegmentedControl, Select, Stack, Text, TextInput } from "@mantine/core";
import { IconAlertTriangle, IconPlayerPlay } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../client/http";
import type { Contact } from "../../client/schema";
import { explain } from "../../parts/problem";
import styles from "../builder.module.css";
import { NO_OVERLAY } from "../canvas/flow";
import { isMap, read } from "../document/read";
import { useForm } from "../form/FormContext";
import { treeOf } from "../graph/tree";
import { overlayOf } from "../run/overlay";
import { Timeline } from "../run/Timeline";
import type { Entry } from "../scope/samples";
import { isScript } from "../session/history";
import { requestBody } from "../session/requestBody";
import type { TrialProps } from "./SimulatePanel";
import { requestOf, settingsOf, startsOf } from "./start";

interface Played {
  runs: { status: string; output: unknown; error: unknown; history: Entry[]; started_at: string; ended_at: string | null }[];
  messages: { at: string; step: string; input: unknown }[];
  refused: unknown[];
}

interface Crowd {
  runs: number;
  statuses: Record<string, number>;
  steps: { step: string; entered: number; failed: number; messages: number; branches: Record<string, number> }[];
  messages: unknown;
}

export function Play({ name, source, tree, nodes, onOverlay, onShow }: TrialProps) {
  const { t } = useTranslation("builder");
  const { samples } = useForm();
  const starts = useMemo(() => {
    const settings = isScript(source) ? settingsOf(source) : null;
    return settings === null ? startsOf(read(source).value, tree) : startsOf(settings, treeOf(settings));
  }, [source, tree]);
  const [chosen, setChosen] = useState(0);
  const start = starts[chosen] ?? starts[0];
  const [data, setData] = useState(() => JSON.stringify(start?.data ?? {}, null, 2));
  const [crowd, setCrowd] = useState<number | null>(null);
  const [span, setSpan] = useState("");
  const [contact, setContact] = useState<Contact | null>(null);
  const [at, setAt] = useState(Number.POSITIVE_INFINITY);

  const play = useMutation({
    mutationFn: async () => {
      const body = start ? requestOf(start, JSON.parse(data)) : {};
      const { data: played, error } = await client.POST("/api/v1/workflows/{name}/simulate", {
        params: { path: { name } },
        body: requestBody({ ...body, source, ...(crowd !== null && { contacts: crowd }), ...(span !== "" && { for: span }), ...(contact && { scenario: { records: { contact } } }) }),
      });
      if (error) throw error as unknown as Error;
      return played;
    },
  });
  const timeline = play.data?.timeline as Played | null | undefined;
  const counts = play.data?.counts as Crowd | null | undefined;
  const run = timeline?.runs[0];
  useEffect(() => {
    if (run) onOverlay(overlayOf(run.history, tree, at));
    else if (counts) onOverlay(crowdOverlay(counts));
  }, [run, counts, at, tree, onOverlay]);
  const pick = (next: Contact | null): void => {
    setContact(next);
    if (!next) return;
    const before: unknown = JSON.parse(data);
    setData(JSON.stringify({ ...(isMap(before) ? before : {}), contact_id: next.id }, null, 2));
  };

  return (
    <Stack gap="md">
      {starts.length > 1 && <Select label={t("simulate.start")} allowDeselect={false} value={String(chosen)} data={starts.map((one, index) => ({ value: String(index), label: one.kind === "manual" ? t("trigger.manual") : one.name }))} onChange={(next) => { const index = Number(next); setChosen(index); setData(JSON.stringify(starts[index]?.data ?? {}, null, 2)); }} />}
      {start?.kind !== "schedule" && (
        <>
          <ContactPicker value={contact} onChange={pick} />
          <JsonInput label={start?.kind === "event" ? t("simulate.data", { type: start.name }) : t("simulate.input")} value={data} onChange={setData} autosize minRows={4} maxRows={12} validationError={t("try.notJson")} formatOnBlur spellCheck={false} dir="ltr" styles={{ input: { fontFamily: "var(--onward-font-code)", fontSize: 12 } }} />
          {samples.event !== null && isMap(samples.event) && <Button size="compact-sm" variant="subtle" onClick={() => setData(JSON.stringify(isMap(samples.event) ? samples.event.data : {}, null, 2))}>{t("simulate.lastEvent")}</Button>}
        </>
      )}
      <SegmentedControl aria-label={t("simulate.who")} value={crowd === null ? "one" : "crowd"} onChange={(who) => setCrowd(who === "one" ? null : 100)} data={[{ value: "one", label: t("simulate.one") }, { value: "crowd", label: t("simulate.crowd") }]} />
      {crowd !== null && <NumberInput label={t("simulate.howMany")} min={1} max={10_000} value={crowd} onChange={(next) => setCrowd(Number(next) || 1)} />}
      <TextInput label={t("simulate.span")} placeholder="30d" value={span} onChange={(event) => setSpan(event.currentTarget.value)} />
      <Button leftSection={<IconPlayerPlay size={16} />} loading={play.isPending} onClick={() => { setAt(Number.POSITIVE_INFINITY); play.mutate(); }}>{t("simulate.run")}</Button>
      {play.error && <Alert color="red" icon={<IconAlertTriangle />}>{explain(play.error)}</Alert>}
      {timeline && !run && <Alert color="yellow">{t("simulate.notStarted")}</Alert>}
      {run && (
        <section aria-label={t("simulate.result")} data-result>
          <Group gap="xs" mb="sm">
            <Badge color={run.status === "completed" ? "green" : run.status === "failed" ? "red" : "yellow"} variant="light" size="lg">{t(`status.${run.status}` as never, { defaultValue: run.status })}</Badge>
            <Text size="sm" c="dimmed">{t("simulate.messages", { count: timeline?.messages.length ?? 0 })}</Text>
          </Group>
          {isMap(run.error) && <Alert color="red" mb="sm" title={String(run.error.code ?? "")}>{String(run.error.message ?? "")}</Alert>}
          {(timeline?.messages ?? []).map((message) => <div key={`${message.at} ${message.step}`} className={styles.message} dir="auto">{messageText(message.input)}</div>)}
          <Timeline history={run.history} tree={tree} nodes={nodes} at={at} onAt={setAt} onShow={onShow} />
        </section>
      )}
      {counts && (
        <section aria-label={t("simulate.result")} data-result>
          <Group gap="xs">{Object.entries(counts.statuses).map(([status, count]) => <Badge key={status} variant="light" size="lg">{t(`status.${status}` as never, { defaultValue: status })} {count}</Badge>)}</Group>
          <Text size="sm" c="dimmed" mt="xs">{t("simulate.onGraph")}</Text>
        </section>
      )}
    </Stack>
  );
}

function messageText(input: unknown): string {
  if (!isMap(input)) return "";
  return typeof input.text === "string" ? input.text : `${String(input.template ?? "")} ${isMap(input.params) ? Object.values(input.params).map(String).join(", ") : ""}`;
}

/** How many passed each step and went into each branch. */
export function crowdOverlay(counts: Crowd): typeof NO_OVERLAY {
  return {
    ...NO_OVERLAY,
    counters: new Map(counts.steps.map((step) => [step.step, { waiting: 0, failed: step.failed, entered: step.entered, real: false }])),
    changes: new Map(counts.steps.map((step) => [step.step, String(step.entered)])),
    branches: new Map(counts.steps.flatMap((step) => Object.entries(step.branches).map(([branch, count]) => [`${step.step}:${branch}`, count] as const))),
  };
}

function ContactPicker({ value, onChange }: { value: Contact | null; onChange: (contact: Contact | null) => void }) {
  const { t } = useTranslation("builder");
  const [words, setWords] = useState("");
  const { data } = useQuery({
    queryKey: ["builder", "contacts", words],
    queryFn: async () => {
      const { data, error } = await client.GET("/api/v1/contacts", { params: { query: { limit: 20, ...(words !== "" && { q: words }) } } });
      if (error) throw error as unknown as Error;
      return data.items;
    },
    placeholderData: (before) => before,
  });
  const contacts = data ?? [];
  return (
    <Select label={t("simulate.contact")} placeholder={t("simulate.sampleContact")} searchable clearable value={value?.id ?? null} data={contacts.map((one) => ({ value: one.id, label: one.name ?? one.phone ?? one.email ?? one.id }))} filter={({ options }) => options} onSearchChange={setWords} nothingFoundMessage={t("palette.nothing")} onChange={(id) => onChange(contacts.find((one) => one.id === id) ?? null)} />
  );
}
