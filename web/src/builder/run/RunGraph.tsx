// A run drawn on the graph of the very version that it ran on: how each step stands, what went in and came out, moment by moment.
import { Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useWaiting } from "../../parts/useWaiting";
import styles from "../builder.module.css";
import { Canvas, type CanvasHandle } from "../canvas/Canvas";
import { readTree } from "../document/steps";
import { useNodes } from "../session/catalogue";
import { readVersion } from "../session/draft";
import { isScript } from "../session/history";
import { Shown } from "../simulate/TryStep";
import { titleOf } from "../words/describe";
import type { Entry } from "../scope/samples";
import { overlayOf, valuesOf } from "./overlay";
import { Stepper } from "./Timeline";

export interface RunGraphProps {
  workflow: string;
  version: number;
  /** The run's history as far as it is read. */
  entries: readonly Entry[];
}

const NO_PROBLEMS = new Map<string, { errors: number; warnings: number }>();
const NOTHING_FOLDED: ReadonlySet<string> = new Set();

export function RunGraph({ workflow, version, entries }: RunGraphProps) {
  const { t } = useTranslation("builder");
  const { nodes } = useNodes();
  const source = useQuery({ queryKey: ["builder", "version", workflow, version], queryFn: () => readVersion(workflow, version), staleTime: Number.POSITIVE_INFINITY, retry: false });
  const tree = useMemo(() => readTree(source.data === undefined || isScript(source.data) ? "" : source.data), [source.data]);
  const waiting = useWaiting(source.data === undefined);
  const [at, setAt] = useState(Number.POSITIVE_INFINITY);
  const [selected, setSelected] = useState<readonly string[]>([]);
  const canvas = useRef<CanvasHandle>(null);
  const overlay = useMemo(() => overlayOf(entries, tree, at), [entries, tree, at]);
  const show = useCallback((pointer: string) => { setSelected([pointer]); canvas.current?.show(pointer); }, []);
  // A script has no graph, and a version that is gone none either: the story beside tells the run then.
  if (source.error || (source.data !== undefined && (isScript(source.data) || tree.all.length === 0))) return null;
  if (waiting) return <Skeleton height={494} radius="md" />;
  const step = selected.flatMap((pointer) => tree.byPointer.get(pointer) ?? [])[0];
  const values = step && valuesOf(entries, step.key, at);
  return (
    <section className={styles.run} aria-label={t("run.graph")} data-run-graph>
      <Stepper history={entries} tree={tree} at={at} onAt={setAt} onShow={show} />
      <div className={styles.runBody}>
        <div className={styles.runGraph}>
          <Canvas handle={canvas} tree={tree} nodes={nodes} selected={selected} problems={NO_PROBLEMS} overlay={overlay} collapsed={NOTHING_FOLDED} readOnly onSelect={setSelected} />
        </div>
        <div className={styles.runValues} aria-live="polite">
          {step && values ? (
            <>
              <h2 dir="auto">{titleOf(step, nodes, t)}</h2>
              <Shown title={t("run.input")} value={values.input} />
              <Shown title={t("run.output")} value={values.output} />
              <Shown title={t("run.error")} value={values.error} />
            </>
          ) : <Text size="sm" c="dimmed">{t("run.pick")}</Text>}
        </div>
      </div>
    </section>
  );
}
