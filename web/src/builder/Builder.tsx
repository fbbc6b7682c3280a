// The page of one workflow: graph and text side by side, a form beside, and everything that is done with it.
import { Button, Modal, Table } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { IconAlertTriangle, IconChevronDown, IconChevronUp, IconCircleCheck } from "@tabler/icons-react";
import { lazy, startTransition, Suspense, useCallback, useDeferredValue, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Loading } from "../parts/Loading";
import styles from "./builder.module.css";
import { Canvas, type CanvasHandle } from "./canvas/Canvas";
import { NO_OVERLAY, type Overlay } from "./canvas/flow";
import type { CodeHandle } from "./code/CodeView";
import { offsetOf, stepNear } from "./code/complete";
import { pathOf } from "./document/read";
import type { Place } from "./document/steps";
import { FormContext } from "./form/FormContext";
import { SHORTCUTS } from "./keyboard/shortcuts";
import { useCommands } from "./keyboard/useCommands";
import { late, whenIdle } from "./late";
import type { Entry } from "./palette/entries";
import { Palette } from "./palette/Palette";
import { ProblemList } from "./problems/ProblemList";
import { byStep, stepOf } from "./problems/problems";
import { useValidation } from "./problems/useValidation";
import { scopeAt } from "./scope/scope";
import { ConflictDialog } from "./session/Conflict";
import { useEventTypes, useNodes } from "./session/catalogue";
import { useAutosave, type Stored } from "./session/draft";
import { useCounters, useSamples, useVariants } from "./session/recorded";
import { placeBehind, useBuilder } from "./session/useBuilder";
import { useFormHands } from "./session/useFormHands";
import { StepList } from "./StepList";
import { Toolbar, type View } from "./Toolbar";
import { detailOf, titleOf } from "./words/describe";
import { PLAIN_HEADER } from "./words/plainHeader";

// The editor of the text is large: it comes when the text is shown.
const CodeView = lazy(async () => ({ default: (await import("./code/CodeView")).CodeView }));

// Forms and panels come behind the graph.
const Inspector = late(async () => (await import("./inspector/Inspector")).Inspector);
const SimulatePanel = late(async () => (await import("./simulate/SimulatePanel")).SimulatePanel);
const VersionsPanel = late(async () => (await import("./versions/VersionsPanel")).VersionsPanel);
const PublishDialog = late(async () => (await import("./publish/PublishDialog")).PublishDialog);

type Side = "none" | "form" | "simulate" | "versions";

export function BuilderPage({ name, stored }: { name: string; stored: Stored }) {
  const { t } = useTranslation("builder");
  const refused = useCallback(() => notifications.show({ color: "yellow", message: t("refused") }), [t]);
  const builder = useBuilder(stored.source, refused);
  const { session, tree, file, steps, script, inStep } = builder;
  const { source, selected } = session;
  const small = useMediaQuery("(max-width: 760px)") ?? false;
  const { nodes, list } = useNodes();
  const eventTypes = useEventTypes();
  const samples = useSamples(name);
  const [published, setPublished] = useState(stored.published);
  const { counters, live } = useCounters(name, published.source !== null);
  const { splits, conversions } = useVariants(name, published.source !== null && tree.all.some((step) => step.verb === "split"));
  const { problems, fresh } = useValidation(source);
  const takeIn = useCallback((text: string, by: string | null) => { builder.replace(text); if (by !== null) notifications.show({ message: t("conflict.merged", { who: by }) }); }, [builder, t]);
  const { saving, conflict, resolve, saveNow, forget } = useAutosave(name, stored, source, takeIn);
  const [chosen, setView] = useState<View | null>(null);
  const views = useMemo((): View[] => (script ? ["code"] : small ? ["list", "graph", "code"] : ["graph", "both", "code", "list"]), [script, small]);
  const view = chosen !== null && views.includes(chosen) ? chosen : (views[0] ?? "graph");
  const [side, setSide] = useState<Side>("none");
  const [palette, setPalette] = useState<Place | "behind" | null>(null);
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const [overlay, setOverlay] = useState<Overlay | null>(null);
  const [dialog, setDialog] = useState<"publish" | "help" | null>(null);
  const [listed, setListed] = useState(false);
  const [focusName, setFocusName] = useState(0);
  const canvas = useRef<CanvasHandle>(null);
  const code = useRef<CodeHandle>(null);
  const graph = useRef<HTMLDivElement>(null);
  const problemsByStep = useMemo(() => byStep(problems, tree), [problems, tree]);
  const [only] = steps;
  const path = steps.length === 1 && only ? only.path : EMPTY;
  // The form follows the graph a moment later: a key on the graph waits for no fields.
  const formNow = useMemo(() => ({ steps, file, tree, path, source, problems, readOnly: !inStep, focusName }), [steps, file, tree, path, source, problems, inStep, focusName]);
  const shown = useDeferredValue(formNow);
  const hands = useFormHands(builder);
  const variables = useMemo(() => scopeAt(shown.file, shown.tree, shown.path, nodes, samples), [shown, nodes, samples]);
  const form = useMemo(
    () => ({ workflow: name, variables, samples, eventTypes, splits, problems: shown.problems, readOnly: shown.readOnly, ...hands.fields }),
    [name, variables, samples, eventTypes, splits, shown, hands],
  );
  const shownOverlay = useMemo(() => overlay ?? { ...NO_OVERLAY, counters, conversions }, [overlay, counters, conversions]);
  const errors = problems.filter((problem) => problem.severity === "error").length;
  const warnings = problems.filter((problem) => problem.severity === "warning").length;
  const state = errors > 0 ? "invalid" : published.source === null ? "unpublished" : published.source !== source ? "changed" : published.trial === null ? "published" : published.trial.held ? "held" : "trial";

  const select = useCallback((next: readonly string[], framing = false) => { builder.select(next); if (next.length > 0 && !framing) startTransition(() => setSide((before) => (before === "simulate" ? before : "form"))); }, [builder]);
  const closeForm = useCallback(() => { setSide("none"); graph.current?.focus(); }, []);
  const openSide = useCallback((next: Side) => { setSide((before) => (before === next ? "none" : next)); setOverlay(null); }, []);
  const latest = useRef(builder);
  useLayoutEffect(() => { latest.current = builder; });
  const toolbar = useMemo(() => ({
    onView: setView,
    onUndo: () => latest.current.undo(),
    onRedo: () => latest.current.redo(),
    onPalette: () => setPalette("behind"),
    onSimulate: () => openSide("simulate"),
    onVersions: () => openSide("versions"),
    onPublish: () => setDialog("publish"),
    onHelp: () => setDialog("help"),
  }), [openSide]);
  const place = palette === null || palette === "behind" ? placeBehind(tree, selected) : palette;
  const take = useCallback(
    (entry: Pick<Entry, "verb" | "node" | "input">, where: Place) => {
      if (builder.insert(entry, where)) {
        setPalette(null);
        setSide("form");
        graph.current?.focus();
      }
    },
    [builder],
  );
  const dropNew = useCallback(
    (what: string, where: Place) => {
      const node = what.startsWith("do:") ? what.slice(3) : "";
      take({ verb: node === "" ? (what as Entry["verb"]) : "do", node, input: null }, where);
    },
    [take],
  );
  const fold = useCallback((pointer: string) => {
    const key = tree.byPointer.get(pointer)?.key;
    if (key !== undefined) setCollapsed((before) => { const next = new Set(before); if (!next.delete(key)) next.add(key); return next; });
  }, [tree]);
  const showProblem = useCallback(
    (problem: (typeof problems)[number]) => {
      const pointer = stepOf(problem.pointer, tree);
      select([pointer === "" ? "start" : pointer]);
      canvas.current?.show(pointer === "" ? "start" : pointer);
      const offset = source.split("\n").slice(0, problem.line - 1).reduce((sum, line) => sum + line.length + 1, problem.column - 1);
      code.current?.show(offset);
    },
    [tree, select, source],
  );
  const commands = useCommands({
    builder, canvas, problems, fold, select,
    palette: () => setPalette("behind"),
    simulate: () => openSide("simulate"),
    publish: () => setDialog("publish"),
    help: () => setDialog("help"),
    rename: () => { setSide("form"); setFocusName((before) => before + 1); },
    open: () => { setSide("form"); requestAnimationFrame(() => document.querySelector<HTMLElement>("[data-side] input, [data-side] textarea")?.focus()); },
    close: () => { if (palette !== null) setPalette(null); else if (side !== "none") { setSide("none"); setOverlay(null); } else builder.select([]); },
    showProblem,
  });
  useEffect(() => whenIdle(() => [Inspector, SimulatePanel, VersionsPanel, PublishDialog].forEach((part) => part.prepare())), []);
  // The text follows the graph: the step that is selected is brought into view.
  useEffect(() => {
    const [pointer] = selected;
    if (view !== "both" || pointer === undefined || graph.current?.contains(document.activeElement) !== true) return;
    const offset = offsetOf(source, pointer === "start" ? ["on"] : pathOf(pointer));
    if (offset !== null) code.current?.show(offset);
  }, [selected, view, source]);
  const around = useMemo(() => ({ nodes, eventTypes, samples, shown: session.shown }), [nodes, eventTypes, samples, session.shown]);
  const caret = useCallback((offset: number) => { if (!script) { const near = stepNear(source, offset, session.shown); if (near.length > 0) { const pointer = `/${near.join("/")}`; builder.select([pointer]); canvas.current?.show(pointer); } } }, [script, source, session.shown, builder]);
  const heard = only && steps.length === 1 ? t("heard", { title: titleOf(only, nodes, t), detail: detailOf(only, nodes, t), problems: problemsByStep.get(only.pointer)?.errors ?? 0 }) : steps.length > 1 ? t("step.several", { count: steps.length }) : selected.includes("start") ? t("startsWhen") : "";

  return (
    <section className={styles.builder} aria-label={t("title")} data-builder>
      <Toolbar
        name={name} version={published.trial?.version ?? published.version} state={state} saving={saving} view={view} views={views} canUndo={session.past.length > 0} canRedo={session.future.length > 0} readOnly={false} {...toolbar}
      />
      {!inStep && !script && <div className={styles.notice} role="alert"><IconAlertTriangle size={16} aria-hidden />{t("unreadable")}</div>}
      <div className={styles.body}>
        {palette !== null && <Palette key={JSON.stringify(palette)} nodes={list} where={whereText(place, tree, nodes, t)} onTake={(entry) => take(entry, place)} onClose={() => { setPalette(null); graph.current?.focus(); }} />}
        {(view === "graph" || view === "both") && (
          // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex, jsx-a11y/no-noninteractive-element-interactions -- the graph is walked by keys as a whole; what is chosen is told by the live region
          <div ref={graph} role="application" className={styles.graph} tabIndex={0} aria-label={t("graph")} aria-describedby="builder-heard" onKeyDown={commands.onKey} data-graph>
            <Canvas handle={canvas} tree={tree} nodes={nodes} selected={selected} problems={problemsByStep} overlay={shownOverlay} collapsed={collapsed} readOnly={!inStep} onSelect={select} onFold={fold} onInsert={setPalette} onMove={builder.move} onDropNew={dropNew} />
            <div id="builder-heard" className={styles.heard} aria-live="polite">{heard}</div>
          </div>
        )}
        {view === "list" && <StepList tree={tree} nodes={nodes} selected={selected} problems={problemsByStep} onOpen={(pointer) => { select([pointer]); setSide("form"); }} />}
        {(view === "code" || view === "both") && <div className={styles.text}><Suspense fallback={<Loading />}><CodeView handle={code} source={source} script={script} label={t("code.title")} problems={fresh ? problems : NO_PROBLEMS} around={around} readOnly={false} onChange={(text) => builder.edit(text, "text")} onUndo={builder.undo} onRedo={builder.redo} onCaret={caret} /></Suspense></div>}
        <FormContext.Provider value={form}>
          <Suspense>
            {side === "form" && !script && (
              <div data-side style={{ display: "contents" }}>
                <Inspector
                  steps={shown.steps} file={shown.file} source={shown.source} nodes={nodes} focusName={shown.focusName} readOnly={shown.readOnly}
                  actions={hands.step} onClose={closeForm}
                />
              </div>
            )}
            {side === "simulate" && <SimulatePanel name={name} source={source} tree={tree} nodes={nodes} onOverlay={setOverlay} onShow={(pointer) => { builder.select([pointer]); canvas.current?.show(pointer); }} onClose={() => { setSide("none"); setOverlay(null); }} />}
            {side === "versions" && <VersionsPanel name={name} source={source} tree={tree} published={published} onOverlay={setOverlay} onUse={(text) => builder.replace(text)} onChanged={setPublished} onClose={() => { setSide("none"); setOverlay(null); }} />}
          </Suspense>
        </FormContext.Provider>
      </div>
      <footer className={styles.problems}>
        <button type="button" className={styles.problemsHead} aria-expanded={listed} data-level={errors > 0 ? "error" : warnings > 0 ? "warning" : "none"} onClick={() => setListed((before) => !before)}>
          {errors + warnings > 0 ? <IconAlertTriangle size={16} aria-hidden /> : <IconCircleCheck size={16} aria-hidden />}
          {problems.length === 0 ? t("problems.none") : t("problems.count", { count: problems.length })}
          {listed ? <IconChevronDown size={16} aria-hidden /> : <IconChevronUp size={16} aria-hidden />}
        </button>
        {listed && <ProblemList problems={problems} source={source} readOnly={!inStep} onShow={showProblem} onFix={(text) => builder.edit(text)} />}
      </footer>
      {conflict && <ConflictDialog conflict={conflict} ours={source} onResolve={resolve} />}
      <Suspense>
        {dialog === "publish" && (
        <PublishDialog name={name} source={source} published={published} live={live} errors={errors} fresh={fresh} save={saveNow}
          onRollout={(text) => builder.edit(text)} onClose={() => setDialog(null)}
          onPublished={(text, now) => { setPublished(now); forget(text, null); setDialog(null); setOverlay(null); if (side === "simulate") setSide("none"); }} />
        )}
      </Suspense>
      <Modal opened={dialog === "help"} onClose={() => setDialog(null)} title={t("help.title")} closeButtonProps={{ "aria-label": t("close") }} attributes={PLAIN_HEADER}>
        <Table><Table.Tbody>{SHORTCUTS.map(([command, keys]) => <Table.Tr key={command}><Table.Td>{t(`help.${command}`)}</Table.Td><Table.Td dir="ltr"><kbd>{keys}</kbd></Table.Td></Table.Tr>)}</Table.Tbody></Table>
        <Button mt="md" fullWidth variant="light" onClick={() => setDialog(null)}>{t("close")}</Button>
      </Modal>
    </section>
  );
}

const EMPTY: readonly (string | number)[] = [];
const NO_PROBLEMS: readonly never[] = [];

function whereText(place: Place, tree: ReturnType<typeof useBuilder>["tree"], nodes: Parameters<typeof titleOf>[1], t: Parameters<typeof titleOf>[2]): string {
  const before = tree.byPointer.get(`/${[...place.list, place.index - 1].join("/")}`);
  return before ? t("palette.behind", { step: titleOf(before, nodes, t) }) : t("palette.first");
}
