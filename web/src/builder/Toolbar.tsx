// Above the graph: the name, how the draft stands, views, undo, and the ways to try, compare and publish.
import { ActionIcon, Badge, Button, Group, SegmentedControl, Tooltip } from "@mantine/core";
import { IconAlertTriangle, IconArrowBackUp, IconArrowForwardUp, IconCheck, IconCloudOff, IconHistory, IconKeyboard, IconLoader2, IconPlayerPlay, IconPlus, IconRocket } from "@tabler/icons-react";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import type { Saving } from "./session/draft";
import styles from "./builder.module.css";

export type View = "graph" | "both" | "code" | "list";

export interface ToolbarProps {
  name: string;
  version: number | null;
  state: "unpublished" | "published" | "trial" | "held" | "changed" | "invalid";
  saving: Saving;
  view: View;
  views: readonly View[];
  canUndo: boolean;
  canRedo: boolean;
  readOnly: boolean;
  onView: (view: View) => void;
  onUndo: () => void;
  onRedo: () => void;
  onPalette: () => void;
  onSimulate: () => void;
  onVersions: () => void;
  onPublish: () => void;
  onHelp: () => void;
}

const STATES = { unpublished: "gray", published: "green", trial: "yellow", held: "red", changed: "yellow", invalid: "red" } as const;
const SIGNS = { saved: IconCheck, waiting: IconLoader2, saving: IconLoader2, failed: IconCloudOff, conflict: IconAlertTriangle } as const;

export const Toolbar = memo(function Toolbar(props: ToolbarProps) {
  const { t } = useTranslation("builder");
  const Sign = SIGNS[props.saving];
  return (
    <header className={styles.toolbar}>
      <div className={styles.name}>
        <h1 dir="auto">{props.name}</h1>
        <Badge variant="light" color={STATES[props.state]} className={styles.stateBadge}>{t(`draft.${props.state}`, { version: props.version ?? 0 })}</Badge>
        <span className={styles.saving} data-saving={props.saving} role="status"><Sign size={14} aria-hidden />{t(`saving.${props.saving}`)}</span>
      </div>
      <Group gap={6} wrap="wrap">
        {!props.readOnly && (
          <>
            {props.views.includes("graph") && <Button size="sm" variant="default" leftSection={<IconPlus size={16} />} onClick={props.onPalette} className={styles.add}>{t("addStep")}</Button>}
            <Tool label={t("undo")} disabled={!props.canUndo} onClick={props.onUndo}><IconArrowBackUp size={18} /></Tool>
            <Tool label={t("redo")} disabled={!props.canRedo} onClick={props.onRedo}><IconArrowForwardUp size={18} /></Tool>
          </>
        )}
        <SegmentedControl size="sm" value={props.view} onChange={(view) => props.onView(view as View)} aria-label={t("view.title")} data={props.views.map((view) => ({ value: view, label: t(`view.${view}`) }))} />
        <span className={styles.help}><Tool label={t("help.title")} onClick={props.onHelp}><IconKeyboard size={18} /></Tool></span>
        <Button size="sm" variant="default" leftSection={<IconHistory size={16} />} onClick={props.onVersions}>{t("versions.title")}</Button>
        <Button size="sm" variant="light" leftSection={<IconPlayerPlay size={16} />} onClick={props.onSimulate}>{t("simulate.title")}</Button>
        {!props.readOnly && <Button size="sm" leftSection={<IconRocket size={16} />} onClick={props.onPublish}>{t("publish.title")}</Button>}
      </Group>
    </header>
  );
});

function Tool({ label, disabled = false, onClick, children }: { label: string; disabled?: boolean; onClick: () => void; children: React.ReactNode }) {
  return <Tooltip label={label}><ActionIcon size={36} variant="subtle" color="gray" aria-label={label} disabled={disabled} onClick={onClick}>{children}</ActionIcon></Tooltip>;
}
