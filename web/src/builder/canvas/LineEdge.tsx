// A line of the graph, with its label and the button that puts a step on it.
import { BaseEdge, EdgeLabelRenderer, type EdgeProps } from "@xyflow/react";
import { IconPlus } from "@tabler/icons-react";
import { memo, useContext } from "react";
import { useTranslation } from "react-i18next";
import styles from "./canvas.module.css";
import { Actions } from "./cards";
import { pathOf, type FlowEdge } from "./flow";

function at({ x, y }: { x: number; y: number }): { transform: string } {
  return { transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` };
}

export const LineEdge = memo(function LineEdge({ id, data }: EdgeProps<FlowEdge>) {
  const { t } = useTranslation("builder");
  const { insert, readOnly, target } = useContext(Actions);
  if (!data) return null;
  return (
    <>
      <BaseEdge path={pathOf(data.points)} style={data.taken ? { stroke: "#3f9a45", strokeWidth: 2.4 } : data.faded ? { opacity: 0.45 } : {}} />
      <EdgeLabelRenderer>
        {data.labelAt && data.labels.length > 0 && (
          <div className={styles.label} style={at(data.labelAt)} data-taken={data.taken || undefined}>
            {data.labels.map((label) => (
              <span key={label} dir="auto" title={data.told === "" ? undefined : data.told} data-told={data.told === "" ? undefined : true}>{label}{data.count !== null && <b>{data.count}</b>}</span>
            ))}
          </div>
        )}
        {data.plusAt && !readOnly && (
          <button type="button" tabIndex={-1} className={`${styles.plus} nodrag nopan`} style={at(data.plusAt)} data-target={target === id || undefined} data-line={id} aria-label={t("insertHere")} title={t("insertHere")} onClick={() => insert(id)}>
            <IconPlus size={13} stroke={2.4} aria-hidden />
          </button>
        )}
      </EdgeLabelRenderer>
    </>
  );
});
