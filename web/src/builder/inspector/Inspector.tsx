// Beside the graph: the form of what is selected, one step, several, or the workflow itself.
import { Button, Group, Stack, Text } from "@mantine/core";
import { IconCopy, IconTrash } from "@tabler/icons-react";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { FILE_SCHEMA } from "../form/schema";
import { Properties } from "../form/SchemaField";
import type { Step } from "../graph/tree";
import type { CatalogueNode } from "../session/catalogue";
import styles from "./inspector.module.css";
import { StepForm, type StepActions } from "./StepForm";

export interface InspectorProps {
  steps: readonly Step[];
  file: unknown;
  source: string;
  nodes: ReadonlyMap<string, CatalogueNode>;
  actions: StepActions;
  focusName: number;
  readOnly: boolean;
  onClose: () => void;
}

const LEFT = ["steps"] as const;
const ORDER = ["name", "description", "on", "key", "mode", "reentry", "exit_on", "vars", "timeout", "limits"] as const;

export const Inspector = memo(function Inspector({ steps, file, source, nodes, actions, focusName, readOnly, onClose }: InspectorProps) {
  const { t } = useTranslation("builder");
  const [only] = steps;
  if (steps.length === 1 && only) {
    return <aside className={styles.inspector} aria-label={t("step.form")}><StepForm key={only.pointer} step={only} nodes={nodes} source={source} actions={actions} focusName={focusName} onClose={onClose} /></aside>;
  }
  return (
    <aside className={styles.inspector} aria-label={t("step.form")}>
      <div className={styles.form}>
        {steps.length > 1 ? (
          <Stack>
            <h2 className={styles.title}>{t("step.several", { count: steps.length })}</h2>
            {!readOnly && (
              <Group>
                <Button variant="light" leftSection={<IconCopy size={16} />} onClick={actions.duplicate}>{t("step.duplicate")}</Button>
                <Button variant="light" color="red" leftSection={<IconTrash size={16} />} onClick={actions.remove}>{t("step.remove")}</Button>
              </Group>
            )}
          </Stack>
        ) : (
          <Stack gap="md">
            <Group justify="space-between">
              <h2 className={styles.title}>{t("file.title")}</h2>
              <Button size="compact-sm" variant="subtle" color="gray" onClick={onClose}>{t("close")}</Button>
            </Group>
            <Text size="sm" c="dimmed">{t("file.about")}</Text>
            <Properties schema={FILE_SCHEMA} value={file} path={[]} order={ORDER} first={5} leave={LEFT} />
          </Stack>
        )}
      </div>
    </aside>
  );
});
