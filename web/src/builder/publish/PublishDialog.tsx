// Publishing: what changes, for which part of the keys first, and what happens to the runs that wait.
import { Alert, Button, Checkbox, Group, Modal, NumberInput, Radio, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconAlertTriangle, IconRocket } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../client/http";
import { explain } from "../../parts/problem";
import { removeValue, setValue } from "../document/edit";
import { isMap, read } from "../document/read";
import { FILE_ORDER } from "../graph/verbs";
import { readPublished, type Published } from "../session/draft";
import { isScript } from "../session/history";
import { Difference } from "../versions/Difference";
import { changedSteps } from "../versions/VersionsPanel";
import { Migrate, type Fate } from "./Migrate";
import { PLAIN_HEADER } from "../words/plainHeader";

export interface PublishProps {
  name: string;
  source: string;
  published: Published;
  live: number;
  errors: number;
  fresh: boolean;
  save: (source: string) => Promise<boolean>;
  onRollout: (source: string) => void;
  onPublished: (source: string, published: Published) => void;
  onClose: () => void;
}

const FATES: readonly Fate[] = ["stay", "move", "restart", "cancel"];

export function PublishDialog({ name, source, published, live, errors, fresh, save, onRollout, onPublished, onClose }: PublishProps) {
  const { t } = useTranslation("builder");
  const queries = useQueryClient();
  const script = isScript(source);
  const rollout = script ? null : rolloutOf(source);
  const [fate, setFate] = useState<Fate>("stay");
  const [canary, setCanary] = useState(rollout !== null);
  const [share, setShare] = useState(rollout?.share ?? 10);
  const [failed, setFailed] = useState(rollout?.failed ?? 5);
  const [of, setOf] = useState(rollout?.of ?? 50);
  const [done, setDone] = useState<{ version: number; source: string; now: Published } | null>(null);
  const changes = !script && published.source !== null ? changedSteps(published.source, source) : null;
  const publish = useMutation({
    mutationFn: async () => {
      const text = script ? source : withRollout(source, published.version !== null && canary ? { share, failed, of } : null);
      if (text !== source) onRollout(text);
      // The draft that becomes the version: any other one would stay behind as if somebody had gone on.
      await save(text);
      const { data, error } = await client.POST("/api/v1/workflows/{name}/publish", { params: { path: { name } }, body: { source: text } });
      if (!data) throw error as unknown as Error;
      return { version: data.version, source: text, now: await readPublished(name) };
    },
    onSuccess: (result) => {
      void queries.invalidateQueries({ predicate: (query) => !(query.queryKey[0] === "builder" && query.queryKey[1] === "workflow") });
      const trial = result.now.trial?.version === result.version;
      notifications.show({ color: "green", message: trial ? t("publish.doneTrial", { version: result.version, share, current: result.now.version ?? 0 }) : t("publish.done", { version: result.version }) });
      if (fate === "stay" || live === 0) onPublished(result.source, result.now);
      else setDone(result);
    },
  });
  return (
    <Modal opened onClose={done ? () => onPublished(done.source, done.now) : onClose} title={t("publish.of", { name })} size="lg" closeButtonProps={{ "aria-label": t("close") }} attributes={PLAIN_HEADER}>
      {done && fate !== "stay" ? (
        <Migrate name={name} fate={fate} version={done.version} after={done.source} onDone={() => onPublished(done.source, done.now)} />
      ) : (
        <Stack gap="md">
          {errors > 0 && <Alert color="red" icon={<IconAlertTriangle />}>{t("publish.errors", { count: errors })}</Alert>}
          {changes && <Text size="sm">{t("publish.changes", { added: count(changes, "added"), changed: count(changes, "changed"), removed: count(changes, "removed") })}</Text>}
          {published.source !== null && published.source !== source && <details><summary>{t("publish.show")}</summary><Difference before={published.source} after={source} /></details>}
          {live > 0 && (
            <Radio.Group label={t("publish.waiting", { count: live })} value={fate} onChange={(next) => setFate(next as Fate)}>
              <Stack gap={8} mt={8}>{FATES.map((one) => <Radio key={one} value={one} label={t(`publish.fate.${one}`)} description={t(`publish.fateAbout.${one}`)} />)}</Stack>
            </Radio.Group>
          )}
          {published.version !== null && !script && (
            <Stack gap="xs">
              <Checkbox label={t("publish.canary")} description={t("publish.canaryAbout")} checked={canary} onChange={(event) => setCanary(event.currentTarget.checked)} />
              {canary && (
                <Group gap="sm" align="end">
                  <NumberInput w={110} label={t("publish.share")} suffix="%" min={1} max={99} value={share} onChange={(next) => setShare(Number(next) || 1)} />
                  <NumberInput w={150} label={t("publish.holdAt")} suffix="%" min={1} max={100} value={failed} onChange={(next) => setFailed(Number(next) || 1)} />
                  <NumberInput w={120} label={t("publish.ofRuns")} min={1} value={of} onChange={(next) => setOf(Number(next) || 1)} />
                </Group>
              )}
            </Stack>
          )}
          {publish.error && <Alert color="red" icon={<IconAlertTriangle />}>{explain(publish.error)}</Alert>}
          <Group justify="end">
            <Button variant="default" onClick={onClose}>{t("publish.notNow")}</Button>
            <Button data-autofocus leftSection={<IconRocket size={16} />} disabled={errors > 0 && fresh} loading={publish.isPending} onClick={() => publish.mutate()}>{t("publish.title")}</Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}

function count(changes: ReadonlyMap<string, string>, kind: string): number {
  return [...changes.values()].filter((change) => change === kind).length;
}

interface RolloutNumbers {
  share: number;
  failed: number;
  of: number;
}

function rolloutOf(source: string): RolloutNumbers | null {
  const file = read(source).value;
  const rollout = isMap(file) ? file.rollout : null;
  if (!isMap(rollout)) return null;
  const hold = isMap(rollout.hold_if) ? rollout.hold_if : {};
  return { share: Number.parseFloat(String(rollout.share)) || 10, failed: Number.parseFloat(String(hold.failed)) || 5, of: Number(hold.of) || 50 };
}

/** The file with its trial as the dialog says; untouched where it says so already. */
export function withRollout(source: string, wanted: RolloutNumbers | null): string {
  const now = rolloutOf(source);
  if (wanted === null) return now === null ? source : removeValue(source, ["rollout"]);
  if (now && now.share === wanted.share && now.failed === wanted.failed && now.of === wanted.of) return source;
  return setValue(source, ["rollout"], { share: `${wanted.share}%`, hold_if: { failed: `${wanted.failed}%`, of: wanted.of } }, FILE_ORDER);
}
