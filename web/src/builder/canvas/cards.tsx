// The boxes of the graph.
import { Handle, Position, type Node, type NodeProps } from "@xyflow/react";
import { IconAlertTriangle, IconBolt, IconChevronDown, IconChevronRight, IconFilter, IconFlag } from "@tabler/icons-react";
import { createContext, memo, useContext } from "react";
import { useTranslation } from "react-i18next";
import { STATE_ICONS } from "../run/stateIcon";
import { Tile } from "../words/Tile";
import styles from "./canvas.module.css";
import type { CardData, TriggerData } from "./flow";

/** What the boxes can ask of the canvas. */
export interface CanvasActions {
  fold: (pointer: string) => void;
  insert: (line: string) => void;
  readOnly: boolean;
  target: string | null;
}

export const Actions = createContext<CanvasActions>({ fold: () => undefined, insert: () => undefined, readOnly: true, target: null });

function Ends() {
  return (
    <>
      <Handle type="target" position={Position.Top} className={styles.handle} isConnectable={false} />
      <Handle type="source" position={Position.Bottom} className={styles.handle} isConnectable={false} />
    </>
  );
}

export const StepCard = memo(function StepCard({ id, data, selected, dragging }: NodeProps<Node<CardData, "step">>) {
  const { t, i18n } = useTranslation("builder");
  const { fold } = useContext(Actions);
  const { errors, warnings } = data.problems;
  const classes = [styles.card, selected && styles.selected, dragging && styles.dragging, data.dimmed && styles.dimmed, errors > 0 && styles.wrong];
  const State = data.state === null ? null : STATE_ICONS[data.state];
  return (
    <div id={`step-${id}`} dir={i18n.dir()} className={classes.filter(Boolean).join(" ")} style={{ width: data.width, height: data.height }} data-kind={data.kind} data-state={data.state ?? undefined} data-change={data.change ?? undefined} data-step={data.id ?? id}>
      <Ends />
      <Tile kind={data.kind} />
      <div className={styles.words}>
        <span className={styles.title}>
          {data.guard && <IconFilter size={13} aria-label={t("guarded")} />}
          {data.title}
        </span>
        <span className={styles.detail}>{data.detail}</span>
      </div>
      {data.folds && (
        <button type="button" tabIndex={-1} className={`${styles.fold} nodrag`} aria-label={data.hidden > 0 ? t("unfold") : t("fold")} onClick={(event) => { event.stopPropagation(); fold(id); }}>
          {data.hidden > 0 ? <><IconChevronRight size={14} />{data.hidden}</> : <IconChevronDown size={14} />}
        </button>
      )}
      {errors + warnings > 0 && (
        <span className={styles.badge} data-level={errors > 0 ? "error" : "warning"} title={t("problemCount", { count: errors + warnings })}>
          <IconAlertTriangle size={13} aria-hidden />
          {errors + warnings}
        </span>
      )}
      {State && <span className={styles.state} data-state={data.state}><State size={14} aria-label={t(`state.${data.state ?? "done"}`)} /></span>}
      {data.change !== null && <span className={styles.change} data-change={data.change}>{data.change}</span>}
      {data.counter && (data.counter.waiting > 0 || data.counter.failed > 0) && (
        <span className={styles.counters}>
          {data.counter.waiting > 0 && <span data-kind="waiting" title={t("counter.waiting", { count: data.counter.waiting })}>{data.counter.waiting}</span>}
          {data.counter.failed > 0 && <span data-kind="failed" title={t(data.counter.real ? "counter.failedToday" : "counter.failed", { count: data.counter.failed })}>{data.counter.failed}</span>}
        </span>
      )}
    </div>
  );
});

export const TriggerCard = memo(function TriggerCard({ data, selected, width, height }: NodeProps<Node<TriggerData, "trigger">>) {
  const { t, i18n } = useTranslation("builder");
  const { errors, warnings } = data.problems;
  return (
    <div id="step-start" dir={i18n.dir()} className={`${styles.trigger} ${selected ? styles.selected : ""}`} style={{ width, height }}>
      <Handle type="source" position={Position.Bottom} className={styles.handle} isConnectable={false} />
      <div className={styles.triggerHead}>
        <Tile kind="trigger" />
        <span className={styles.title}>{t("startsWhen")}</span>
        {errors + warnings > 0 && (
          <span className={styles.badge} data-level={errors > 0 ? "error" : "warning"}><IconAlertTriangle size={13} aria-hidden />{errors + warnings}</span>
        )}
      </div>
      {data.lines.map((line) => (
        <div key={line} className={styles.triggerLine}><IconBolt size={13} aria-hidden />{line}</div>
      ))}
    </div>
  );
});

export const EndCard = memo(function EndCard({ data }: NodeProps<Node<{ title: string }, "end">>) {
  return (
    <div className={styles.end}>
      <Handle type="target" position={Position.Top} className={styles.handle} isConnectable={false} />
      <IconFlag size={14} aria-hidden />
      {data.title}
    </div>
  );
});

export const GroupBox = memo(function GroupBox({ width, height }: NodeProps) {
  return <div className={styles.group} style={{ width, height }} aria-hidden />;
});

export const MergePoint = memo(function MergePoint() {
  return <Ends />;
});
