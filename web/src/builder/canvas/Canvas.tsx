// The graph: drawn by React Flow, laid out by us. It tells what people do with it and changes nothing by itself.
import "@xyflow/react/dist/base.css";
import { Background, Panel, ReactFlow, ReactFlowProvider, useReactFlow, type NodeChange } from "@xyflow/react";
import { ActionIcon, Tooltip, useComputedColorScheme } from "@mantine/core";
import { IconFocusCentered, IconMinus, IconPlus } from "@tabler/icons-react";
import { memo, useCallback, useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef, useState, type DragEvent, type Ref } from "react";
import { useTranslation } from "react-i18next";
import type { Tree } from "../graph/tree";
import { layout, type Drawing, type Point } from "../layout/layout";
import type { Place } from "../document/steps";
import type { Nodes } from "../words/describe";
import styles from "./canvas.module.css";
import { Actions, EndCard, GroupBox, MergePoint, StepCard, TriggerCard } from "./cards";
import { flowEdges, flowNodes, nearestLine, NO_OVERLAY, type FlowEdge, type FlowNode, type Overlay } from "./flow";
import { keeper } from "./kept";
import { LineEdge } from "./LineEdge";
import { Overview } from "./Overview";

export interface CanvasHandle {
  fit: () => void;
  reset: () => void;
  show: (id: string) => void;
  drawing: Drawing;
}

export interface CanvasProps {
  tree: Tree;
  nodes: Nodes;
  selected: readonly string[];
  problems: ReadonlyMap<string, { errors: number; warnings: number }>;
  overlay?: Overlay;
  collapsed: ReadonlySet<string>;
  readOnly?: boolean;
  handle?: Ref<CanvasHandle>;
  /** `framing`: a frame is being drawn, and more may come. */
  onSelect?: (selected: string[], framing: boolean) => void;
  onFold?: (pointer: string) => void;
  onInsert?: (place: Place) => void;
  onMove?: (pointers: string[], place: Place) => void;
  onDropNew?: (what: string, place: Place) => void;
}

const NODE_TYPES = { step: StepCard, trigger: TriggerCard, end: EndCard, group: GroupBox, merge: MergePoint };
const EDGE_TYPES = { line: LineEdge };
export const DRAGGED_STEP = "application/x-onward-step";

export function Canvas(props: CanvasProps) {
  return (
    <ReactFlowProvider>
      <Inner {...props} />
    </ReactFlowProvider>
  );
}

function Inner({ tree, nodes: catalogue, selected, problems, overlay = NO_OVERLAY, collapsed, readOnly = false, handle, onSelect, onFold, onInsert, onMove, onDropNew }: CanvasProps) {
  const { t } = useTranslation("builder");
  const scheme = useComputedColorScheme("light");
  const flow = useReactFlow<FlowNode, FlowEdge>();
  const drawing = useMemo(() => layout(tree, collapsed), [tree, collapsed]);
  const [dragged, setDragged] = useState<ReadonlyMap<string, Point>>(new Map());
  const [target, setTarget] = useState<string | null>(null);
  const wrapper = useRef<HTMLDivElement>(null);
  const looks = useMemo(() => ({ tree, nodes: catalogue, problems, overlay, t }), [tree, catalogue, problems, overlay, t]);
  const [keepNodes] = useState(() => keeper<FlowNode>());
  const [keepEdges] = useState(() => keeper<FlowEdge>());
  // For what is the same object all the time, so that nothing is drawn anew for it.
  const latest = useRef({ drawing, onFold, onInsert });
  useLayoutEffect(() => { latest.current = { drawing, onFold, onInsert }; });
  const bare = useMemo(() => keepNodes(flowNodes(drawing, looks)), [drawing, looks, keepNodes]);
  const edges = useMemo(() => keepEdges(flowEdges(drawing, looks)), [drawing, looks, keepEdges]);
  const nodes = useMemo(() => {
    const chosen = new Set(selected);
    return bare.map((node): FlowNode => {
      const place = dragged.get(node.id);
      if (!place && !chosen.has(node.id)) return node;
      return Object.assign({}, node, { selected: chosen.has(node.id), dragging: place !== undefined, position: place ?? node.position });
    });
  }, [bare, selected, dragged]);

  // Of the drawing itself: React Flow's own knows only the boxes that were once on the screen.
  const fit = useCallback(() => {
    const view = wrapper.current?.getBoundingClientRect();
    if (!view) return;
    const { drawing } = latest.current;
    const left = Math.min(...drawing.boxes.map((box) => box.x));
    const width = drawing.width - left;
    const zoom = Math.min(1, Math.max(0.15, Math.min((view.width - 60) / width, (view.height - 60) / drawing.height)));
    void flow.setViewport({ x: (view.width - width * zoom) / 2 - left * zoom, y: Math.max(24, (view.height - drawing.height * zoom) / 2), zoom }, { duration: 150 });
  }, [flow]);
  const show = useCallback(
    (id: string) => {
      const box = drawing.boxes.find((one) => one.id === id);
      const view = wrapper.current?.getBoundingClientRect();
      if (!box || !view) return;
      const { x, y, zoom } = flow.getViewport();
      const [left, top] = [box.x * zoom + x, box.y * zoom + y];
      const inside = left >= 0 && top >= 0 && left + box.width * zoom <= view.width && top + box.height * zoom <= view.height;
      if (!inside) void flow.setCenter(box.x + box.width / 2, box.y + box.height / 2, { zoom: Math.max(zoom, 0.6), duration: 120 });
    },
    [drawing, flow],
  );
  useImperativeHandle(handle, () => ({ fit, show, drawing, reset: () => void flow.zoomTo(1, { duration: 150 }) }), [fit, show, drawing, flow]);

  // The first look: all of a small workflow, the beginning of a large one, in its natural size.
  const started = useRef<number | null>(null);
  const begin = useCallback(() => {
    const view = wrapper.current?.getBoundingClientRect();
    if (!view || view.width === 0) return;
    const before = started.current;
    started.current = view.width;
    if (before !== null) {
      // A panel beside it opened or closed: what was in the middle stays there.
      const { x, y, zoom } = flow.getViewport();
      if (before !== view.width) void flow.setViewport({ x: x + (view.width - before) / 2, y, zoom });
      return;
    }
    const axis = (drawing.boxes[0]?.x ?? 0) + (drawing.boxes[0]?.width ?? 0) / 2;
    const zoom = Math.min(1, Math.max(0.62, (view.width - 40) / drawing.width));
    const fits = drawing.width * zoom <= view.width - 20;
    void flow.setViewport({ x: fits ? (view.width - drawing.width * zoom) / 2 : view.width / 2 - axis * zoom, y: 24, zoom });
  }, [drawing, flow]);
  useEffect(() => {
    const box = wrapper.current;
    if (!box) return undefined;
    const observer = new ResizeObserver(begin);
    observer.observe(box);
    return () => observer.disconnect();
  }, [begin]);

  const framing = useRef(false);
  const frame = useCallback(
    (begun: boolean) => {
      framing.current = begun;
      if (!begun && selected.length > 0) onSelect?.([...selected], false);
    },
    [onSelect, selected],
  );
  const changed = useCallback(
    (changes: NodeChange<FlowNode>[]) => {
      const moves = changes.flatMap((change) => (change.type === "position" && change.dragging && change.position ? [[change.id, change.position] as const] : []));
      if (moves.length > 0) setDragged((before) => new Map([...before, ...moves]));
      const picks = changes.flatMap((change) => (change.type === "select" ? [change] : []));
      if (picks.length === 0 || !onSelect) return;
      const next = new Set(selected);
      for (const pick of picks) {
        if (pick.selected) next.add(pick.id);
        else next.delete(pick.id);
      }
      onSelect([...next], framing.current);
    },
    [onSelect, selected],
  );
  const lineUnder = useCallback((event: { clientX: number; clientY: number }) => nearestLine(drawing, flow.screenToFlowPosition({ x: event.clientX, y: event.clientY })), [drawing, flow]);
  const dropped = useCallback(
    (event: DragEvent) => {
      const what = event.dataTransfer.getData(DRAGGED_STEP);
      const line = lineUnder(event);
      setTarget(null);
      if (what === "" || !line?.insert) return;
      event.preventDefault();
      onDropNew?.(what, line.insert);
    },
    [lineUnder, onDropNew],
  );
  const actions = useMemo(
    () => ({
      readOnly,
      target,
      fold: (pointer: string) => latest.current.onFold?.(pointer),
      insert: (id: string) => {
        const line = latest.current.drawing.lines.find((one) => one.id === id);
        if (line?.insert) latest.current.onInsert?.(line.insert);
      },
    }),
    [readOnly, target],
  );

  return (
    <Actions.Provider value={actions}>
      <div ref={wrapper} style={{ width: "100%", height: "100%" }} dir="ltr" onDragOver={(event) => { if (!readOnly && event.dataTransfer.types.includes(DRAGGED_STEP)) { event.preventDefault(); setTarget(lineUnder(event)?.id ?? null); } }} onDragLeave={() => setTarget(null)} onDrop={dropped}>
        <ReactFlow
          nodes={nodes}
          edges={edges}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          onNodesChange={changed}
          onNodeClick={(event, node) => {
            // React Flow leaves several chosen where one of them is clicked.
            const adds = event.ctrlKey || event.metaKey || event.shiftKey;
            if (!adds && selected.length > 1 && node.selectable !== false) onSelect?.([node.id], false);
          }}
          onSelectionStart={() => frame(true)}
          onSelectionEnd={() => frame(false)}
          onNodeDrag={(event, node) => { if (node.type === "step") setTarget(lineUnder(pointOf(event as unknown as MouseEvent))?.id ?? null); }}
          onNodeDragStop={(event, node) => {
            const line = lineUnder(pointOf(event as unknown as MouseEvent));
            setTarget(null);
            setDragged(new Map());
            if (line?.insert && node.type === "step") onMove?.(selected.includes(node.id) ? [...selected] : [node.id], line.insert);
          }}
          colorMode={scheme}
          nodesDraggable={!readOnly}
          nodesConnectable={false}
          nodesFocusable={false}
          edgesFocusable={false}
          disableKeyboardA11y
          deleteKeyCode={null}
          selectionKeyCode="Shift"
          multiSelectionKeyCode={MULTI}
          nodeDragThreshold={5}
          onlyRenderVisibleElements
          minZoom={0.15}
          maxZoom={1.6}
          zoomOnDoubleClick={false}
          panOnScroll
          panOnScrollSpeed={0.8}
        >
          <Background gap={22} size={1.2} color={scheme === "dark" ? "#262d34" : "#dfe3e6"} />
          <Overview drawing={drawing} />
          <Zoom fit={fit} />
        </ReactFlow>
      </div>
    </Actions.Provider>
  );
}

function pointOf(event: MouseEvent | TouchEvent): { clientX: number; clientY: number } {
  return "touches" in event ? (event.touches[0] ?? event.changedTouches[0] ?? { clientX: 0, clientY: 0 }) : event;
}

const MULTI = ["Meta", "Control"];

/** The buttons on the graph; the same as long as the drawing is. */
const Zoom = memo(function Zoom({ fit }: { fit: () => void }) {
  const { t } = useTranslation("builder");
  const flow = useReactFlow();
  return (
    <Panel position="bottom-left" className={styles.panel}>
      <Tool label={t("zoomIn")} onClick={() => void flow.zoomIn({ duration: 100 })}><IconPlus size={16} /></Tool>
      <Tool label={t("zoomOut")} onClick={() => void flow.zoomOut({ duration: 100 })}><IconMinus size={16} /></Tool>
      <Tool label={t("fit")} onClick={fit}><IconFocusCentered size={16} /></Tool>
    </Panel>
  );
});

function Tool({ label, onClick, children }: { label: string; onClick: () => void; children: React.ReactNode }) {
  return (
    <Tooltip label={label} position="right">
      <ActionIcon variant="default" size="lg" aria-label={label} onClick={onClick}>{children}</ActionIcon>
    </Tooltip>
  );
}
