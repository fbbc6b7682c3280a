// A run's moments: stepped forwards and backwards, by the slider, the arrow keys or a click; the graph follows.
import { ActionIcon, Group, Slider } from "@mantine/core";
import { IconChevronLeft, IconChevronRight } from "@tabler/icons-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import styles from "../builder.module.css";
import { isMap } from "../document/read";
import type { Tree } from "../graph/tree";
import { keyOfPath, type Entry } from "../scope/samples";
import { titleOf, type Nodes } from "../words/describe";
import { moments } from "./overlay";

export interface TimelineProps {
  history: readonly Entry[];
  tree: Tree;
  nodes: Nodes;
  at: number;
  onAt: (seq: number) => void;
  onShow: (pointer: string) => void;
}

function useMoments({ history, tree, at, onAt, onShow }: Omit<TimelineProps, "nodes">) {
  const shown = useMemo(() => moments(history), [history]);
  const index = Math.max(0, shown.findLastIndex((entry) => Number(entry.seq) <= at));
  const go = (to: number): void => {
    const entry = shown[Math.max(0, Math.min(shown.length - 1, to))];
    if (!entry) return;
    onAt(Number(entry.seq));
    const step = tree.byKey.get(keyOfPath(entry.step) ?? "");
    if (step) onShow(step.pointer);
  };
  return { shown, index, go };
}

/** Forwards and backwards through a run. */
export function Stepper(props: Omit<TimelineProps, "nodes">) {
  const { t } = useTranslation("builder");
  const { shown, index, go } = useMoments(props);
  return (
      <Group gap="xs" wrap="nowrap" mb="xs">
        <ActionIcon variant="default" aria-label={t("run.back")} disabled={index === 0} onClick={() => go(index - 1)}><IconChevronLeft size={16} className="onward-flip" /></ActionIcon>
        <Slider style={{ flex: 1 }} min={0} max={Math.max(1, shown.length - 1)} value={index} onChange={go} label={null} thumbLabel={t("run.moment")} aria-label={t("run.moment")} />
        <ActionIcon variant="default" aria-label={t("run.forward")} disabled={index >= shown.length - 1} onClick={() => go(index + 1)}><IconChevronRight size={16} className="onward-flip" /></ActionIcon>
      </Group>
  );
}

export function Timeline(props: TimelineProps) {
  const { t, i18n } = useTranslation("builder");
  const { tree, nodes } = props;
  const { shown, index, go } = useMoments(props);
  const time = new Intl.DateTimeFormat(i18n.language, { dateStyle: "short", timeStyle: "medium" });
  return (
    <div>
      <Stepper {...props} />
      <ol className={styles.timeline} aria-label={t("run.timeline")}>
        {shown.map((entry, place) => {
          const step = tree.byKey.get(keyOfPath(entry.step) ?? "");
          return (
            <li key={String(entry.seq)}>
              <button type="button" className={styles.moment} aria-current={place === index} style={place > index ? { opacity: 0.55 } : {}} onClick={() => go(place)}>
                <time dateTime={String(entry.at)}>{typeof entry.at === "string" ? time.format(new Date(entry.at)) : ""}</time>
                <span dir="auto">{step ? titleOf(step, nodes, t) : ""} {t(`kind.${String(entry.kind)}` as never, { defaultValue: String(entry.kind).replaceAll("_", " ") })}</span>
                {detail(entry) !== "" && <small dir="auto">{detail(entry)}</small>}
              </button>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

/** What belongs to an entry, in short. */
function detail(entry: Entry): string {
  if (entry.branch !== undefined) return String(entry.branch);
  if (entry.variant !== undefined) return String(entry.variant);
  if (isMap(entry.error)) return String(entry.error.message ?? entry.error.code ?? "");
  if (isMap(entry.input) && typeof entry.input.text === "string") return entry.input.text;
  if (typeof entry.due === "string") return entry.due;
  if (typeof entry.deadline === "string") return entry.deadline;
  return "";
}
