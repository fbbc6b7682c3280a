// The whole graph, small, with the part of it that is on the screen. One path for all boxes: React Flow's own map listens to each box,
// and with hundreds of them that is half of what a key on the graph costs.
import { Panel, useReactFlow, useStore, type ReactFlowState } from "@xyflow/react";
import { memo, useMemo, useRef, type PointerEvent } from "react";
import { useTranslation } from "react-i18next";
import type { Box, Drawing } from "../layout/layout";
import styles from "./canvas.module.css";
import { frameOf, type Frame } from "./frame";

const WIDTH = 150;
const HEIGHT = 104;

function shownPart({ transform: [x, y, zoom], width, height }: ReactFlowState): Frame {
  return { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom };
}

function sameFrame(one: Frame, other: Frame): boolean {
  return one.x === other.x && one.y === other.y && one.width === other.width && one.height === other.height;
}

function rectangle({ x, y, width, height }: Frame): string {
  return `M${x},${y}h${width}v${height}h${-width}z`;
}

function isDrawn({ kind }: Box): boolean {
  return kind === "step" || kind === "trigger" || kind === "end";
}

export const Overview = memo(function Overview({ drawing }: { drawing: Drawing }) {
  const { t } = useTranslation("builder");
  const flow = useReactFlow();
  const view = useStore(shownPart, sameFrame);
  const boxes = useMemo(() => drawing.boxes.filter(isDrawn).map(rectangle).join(""), [drawing]);
  const whole = useMemo(() => {
    const left = Math.min(...drawing.boxes.map((box) => box.x));
    return { x: left, y: 0, width: drawing.width - left, height: drawing.height };
  }, [drawing]);
  const frame = frameOf(whole, view, WIDTH, HEIGHT);
  // While it is dragged over, the frame stays: else the graph would run away under the finger.
  const held = useRef<Frame | null>(null);
  const go = (event: PointerEvent<SVGSVGElement>): void => {
    const area = event.currentTarget.getBoundingClientRect();
    const around = held.current ?? frame;
    const x = around.x + ((event.clientX - area.left) / area.width) * around.width;
    const y = around.y + ((event.clientY - area.top) / area.height) * around.height;
    void flow.setCenter(x, y, { zoom: flow.getZoom() });
  };
  return (
    <Panel position="bottom-right" className={styles.overview}>
      <svg
        width={WIDTH}
        height={HEIGHT}
        viewBox={`${frame.x} ${frame.y} ${frame.width} ${frame.height}`}
        role="img"
        aria-label={t("minimap")}
        onPointerDown={(event) => { held.current = frame; event.currentTarget.setPointerCapture(event.pointerId); go(event); }}
        onPointerMove={(event) => { if (held.current !== null) go(event); }}
        onPointerUp={() => { held.current = null; }}
        onPointerCancel={() => { held.current = null; }}
      >
        <path className={styles.overviewBoxes} d={boxes} />
        <path className={styles.overviewMask} fillRule="evenodd" d={rectangle(frame) + rectangle(view)} />
      </svg>
    </Panel>
  );
});
