// Published versions: what each changed, as text and on the graph; to go back to one, or to go on from one.
import { ActionIcon, Alert, Badge, Button, Group, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconX } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../client/http";
import { explain } from "../../parts/problem";
import styles from "../builder.module.css";
import { NO_OVERLAY, type Overlay } from "../canvas/flow";
import { same } from "../document/edit";
import { readTree } from "../document/steps";
import type { Tree } from "../graph/tree";
import { readPublished, readVersion, type Published } from "../session/draft";
import { Difference } from "./Difference";

export interface VersionsProps {
  name: string;
  source: string;
  tree: Tree;
  published: Published;
  onOverlay: (overlay: Overlay | null) => void;
  onUse: (source: string) => void;
  onChanged: (published: Published) => void;
  onClose: () => void;
}

const LOOK_MS = 10_000;

export function VersionsPanel({ name, source, tree, published, onOverlay, onUse, onChanged, onClose }: VersionsProps) {
  const { t, i18n } = useTranslation("builder");
  const queries = useQueryClient();
  const current = published.version;
  const [chosen, setChosen] = useState<number | null>(published.trial?.version ?? current);
  const versions = useQuery({
    queryKey: ["builder", "versions", name, current, published.trial?.version],
    queryFn: async () => {
      const { data, error } = await client.GET("/api/v1/workflows/{name}/versions", { params: { path: { name }, query: { limit: 100 } } });
      if (error) throw error as unknown as Error;
      return data.items;
    },
    retry: false,
  });
  const workflow = useQuery({ queryKey: ["builder", "rollout", name, current, published.trial?.version], refetchInterval: LOOK_MS, queryFn: async () => (await client.GET("/api/v1/workflows/{name}", { params: { path: { name } } })).data ?? null });
  const text = useQuery({ queryKey: ["builder", "version", name, chosen], queryFn: () => readVersion(name, chosen ?? 0), enabled: chosen !== null, staleTime: Number.POSITIVE_INFINITY });
  const before = text.data ?? null;
  const changes = useMemo(() => (before === null ? null : changedSteps(before, source)), [before, source]);
  useEffect(() => { onOverlay(changes && { ...NO_OVERLAY, changes: new Map([...changes].filter(([key]) => tree.byKey.has(key)).map(([key, change]) => [key, t(`versions.change.${change}`)])) }); }, [changes, tree, onOverlay, t]);
  const removed = [...(changes ?? [])].filter(([, change]) => change === "removed");
  const act = useMutation({
    mutationFn: async (what: "promote" | { to: number }) => {
      const { data, error } = what === "promote" ? await client.POST("/api/v1/workflows/{name}/promote", { params: { path: { name } } }) : await client.POST("/api/v1/workflows/{name}/rollback", { params: { path: { name } }, body: what });
      if (error) throw error as unknown as Error;
      return { version: data.version, now: await readPublished(name) };
    },
    onSuccess: ({ version, now }) => {
      onChanged(now);
      void queries.invalidateQueries({ queryKey: ["builder"], predicate: (query) => query.queryKey[1] !== "workflow" });
      notifications.show({ color: "green", message: t("versions.now", { version }) });
    },
  });
  const rollout = workflow.data?.rollout;
  const time = new Intl.DateTimeFormat(i18n.language, { dateStyle: "medium", timeStyle: "short" });
  return (
    <aside className={styles.drawer} aria-label={t("versions.title")} data-side>
      <div className={styles.drawerHead}><h2>{t("versions.title")}</h2><ActionIcon variant="subtle" color="gray" aria-label={t("close")} onClick={onClose}><IconX size={18} /></ActionIcon></div>
      <Stack className={styles.drawerBody} gap="md">
        {(versions.data ?? []).length === 0 && !versions.isPending && <Text size="sm" c="dimmed">{t("versions.none")}</Text>}
        {rollout && (
          <Alert color={rollout.held_at ? "red" : "yellow"} title={rollout.held_at ? t("versions.held", { version: rollout.version }) : t("versions.trial", { version: rollout.version, share: Math.round((rollout.share ?? 0) * 100) })}>
            <Text size="sm" mb="xs">{t(rollout.held_at ? "versions.heldAbout" : "versions.trialAbout", { current: current ?? 0 })} {t("versions.trialStands", { ended: rollout.ended, failed: rollout.failed })}</Text>
            <Group gap="xs">
              <Button size="compact-sm" loading={act.isPending} onClick={() => act.mutate("promote")}>{t("versions.promote")}</Button>
              {current !== null && <Button size="compact-sm" variant="default" loading={act.isPending} onClick={() => act.mutate({ to: current })}>{t("versions.takeBack", { version: rollout.version })}</Button>}
            </Group>
          </Alert>
        )}
        <ol className={styles.timeline}>
          {(versions.data ?? []).map((version) => (
            <li key={version.version}>
              <button type="button" className={styles.moment} aria-current={chosen === version.version} onClick={() => setChosen(version.version)}>
                <Badge variant={version.current ? "filled" : "default"}>{version.version}</Badge>
                <span>{time.format(new Date(version.published_at))}{version.current ? ` · ${t("versions.current")}` : version.version === rollout?.version && ` · ${t("versions.onTrial")}`}</span>
              </button>
            </li>
          ))}
        </ol>
        {act.error && <Alert color="red">{explain(act.error)}</Alert>}
        {before !== null && chosen !== null && (
          <Stack gap="sm">
            <Group gap="xs">
              <Button size="compact-sm" variant="light" disabled={before === source} onClick={() => onUse(before)}>{t("versions.use")}</Button>
              {chosen !== current && chosen !== rollout?.version && <Button size="compact-sm" variant="default" loading={act.isPending} onClick={() => act.mutate({ to: chosen })}>{t("versions.rollback", { version: chosen })}</Button>}
            </Group>
            <Text size="sm" c="dimmed">{before === source ? t("versions.same") : t("versions.against", { version: chosen })}</Text>
            {removed.length > 0 && <Text size="sm">{t("versions.removed", { steps: removed.map(([key]) => key).join(", ") })}</Text>}
            {before !== source && <Difference before={before} after={source} />}
          </Stack>
        )}
      </Stack>
    </aside>
  );
}

/** What became of each step between two texts, by key; steps inside a step are compared by themselves. */
export function changedSteps(before: string, after: string): Map<string, "added" | "removed" | "changed"> {
  const [old, now] = [readTree(before), readTree(after)];
  const found = new Map<string, "added" | "removed" | "changed">();
  for (const step of now.all) {
    const was = old.byKey.get(step.key);
    if (!was) found.set(step.key, "added");
    else if (!same(own(was), own(step))) found.set(step.key, "changed");
  }
  for (const step of old.all) if (!now.byKey.has(step.key)) found.set(step.key, "removed");
  return found;
}

/** A step without the steps inside it. */
function own(step: { value: Readonly<Record<string, unknown>>; branches: { list: readonly (string | number)[] }[]; path: readonly unknown[] }): unknown {
  const lists = new Set(step.branches.map((branch) => branch.list.slice(step.path.length).join("/")));
  const strip = (value: unknown, at: string): unknown => {
    if (lists.has(at)) return null;
    if (Array.isArray(value)) return value.map((item, index) => strip(item, at === "" ? String(index) : `${at}/${index}`));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, strip(item, at === "" ? key : `${at}/${key}`)]));
  };
  return strip(step.value, "");
}
