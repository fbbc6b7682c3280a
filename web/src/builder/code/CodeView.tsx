// The text of the workflow, beside the graph: both are live at once. YAML or rhai, with completion, hover and the server's problems.
import { autocompletion, closeBrackets, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, HighlightStyle, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Annotation, Compartment, EditorState, Prec } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, hoverTooltip, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useImperativeHandle, useLayoutEffect, useRef, type Ref } from "react";
import type { Problem } from "../problems/problems";
import { useSettled } from "../session/useSettled";
import styles from "./code.module.css";
import { aboutAt, offersAt, type Surroundings } from "./complete";
import { DURABLE_FUNCTIONS, rhai } from "./rhai";

export interface CodeHandle {
  show: (offset: number) => void;
  focus: () => void;
}

export interface CodeViewProps {
  source: string;
  script: boolean;
  label: string;
  problems: readonly Problem[];
  around: Surroundings;
  readOnly: boolean;
  handle?: Ref<CodeHandle>;
  onChange: (source: string) => void;
  onUndo: () => void;
  onRedo: () => void;
  onCaret: (offset: number) => void;
}

const fromOutside = Annotation.define<boolean>();

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "light-dark(#0b5e8c, #7cc4f0)" },
  { tag: [tags.string, tags.special(tags.string)], color: "light-dark(#2a6a34, #9bd08c)" },
  { tag: [tags.number, tags.bool, tags.null], color: "light-dark(#9a3412, #f4a876)" },
  { tag: [tags.comment, tags.meta], color: "light-dark(#5c6670, #93a0ac)", fontStyle: "italic" },
  { tag: [tags.keyword, tags.operatorKeyword], color: "light-dark(#6b3fc0, #c3a9ff)" },
  { tag: tags.function(tags.variableName), color: "light-dark(#0b6e63, #6fd6c8)" },
]);

export function CodeView({ source, script, label, problems, around, readOnly, handle, onChange, onUndo, onRedo, onCaret }: CodeViewProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const sent = useRef(source);
  const { later, now } = useSettled((text: string) => {
    sent.current = text;
    onChange(text);
  });
  const latest = useRef({ around, onUndo, onRedo, onCaret });
  useLayoutEffect(() => { latest.current = { around, onUndo, onRedo, onCaret }; });
  const locked = useRef(new Compartment());
  const start = useRef({ source, readOnly });

  useEffect(() => {
    if (!host.current) return undefined;
    const editor = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: start.current.source,
        extensions: [
          lineNumbers(), foldGutter(), lintGutter(), drawSelection(), highlightActiveLine(), bracketMatching(), closeBrackets(), highlightSelectionMatches(),
          syntaxHighlighting(colours), indentUnit.of("  "), EditorView.lineWrapping,
          script ? rhai : yaml(),
          EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false" }),
          autocompletion({ override: [(context) => offers(context, latest.current.around, script)], activateOnTyping: true, icons: false }),
          hoverTooltip((editor, position) => (script ? null : told(editor, position, latest.current.around))),
          // Undo belongs to the whole builder: the graph and the text have one history.
          Prec.highest(keymap.of([
            { key: "Mod-z", run: () => { now(); latest.current.onUndo(); return true; } },
            { key: "Mod-Shift-z", run: () => { latest.current.onRedo(); return true; } },
            { key: "Mod-y", run: () => { latest.current.onRedo(); return true; } },
          ])),
          keymap.of([...defaultKeymap, ...searchKeymap, indentWithTab]),
          locked.current.of(EditorState.readOnly.of(start.current.readOnly)),
          EditorView.updateListener.of((update) => {
            if (update.docChanged && !update.transactions.some((one) => one.annotation(fromOutside))) later(update.state.doc.toString());
            if (update.focusChanged && !update.view.hasFocus) now();
            if (update.selectionSet && update.view.hasFocus) latest.current.onCaret(update.state.selection.main.head);
          }),
        ],
      }),
    });
    // What scrolls can be scrolled by keys.
    editor.scrollDOM.tabIndex = 0;
    view.current = editor;
    return () => {
      editor.destroy();
      view.current = null;
    };
  }, [script, label, later, now]);

  useEffect(() => { view.current?.dispatch({ effects: locked.current.reconfigure(EditorState.readOnly.of(readOnly)) }); }, [readOnly]);

  useEffect(() => {
    // What was written here comes back as the source: the editor is ahead of it and keeps its text.
    if (source === sent.current) return;
    sent.current = source;
    const editor = view.current;
    const text = editor?.state.doc.toString();
    if (!editor || text === undefined || text === source) return;
    editor.dispatch({ changes: replaced(text, source), annotations: fromOutside.of(true) });
  }, [source]);

  useEffect(() => {
    const editor = view.current;
    if (editor) editor.dispatch(setDiagnostics(editor.state, problems.map((problem) => diagnostic(editor.state, problem))));
  }, [problems]);

  useImperativeHandle(handle, () => ({
    show: (offset) => {
      const editor = view.current;
      if (!editor || offset > editor.state.doc.length) return;
      editor.dispatch({ selection: { anchor: offset }, effects: EditorView.scrollIntoView(offset, { y: "center" }) });
    },
    focus: () => view.current?.focus(),
  }), []);

  return <div ref={host} className={styles.code} dir="ltr" />;
}

/** The smallest change that makes one text of another: the caret stays where it is. */
export function replaced(before: string, after: string): { from: number; to: number; insert: string } {
  let head = 0;
  const most = Math.min(before.length, after.length);
  while (head < most && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < most - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  return { from: head, to: before.length - tail, insert: after.slice(head, after.length - tail) };
}

function diagnostic(state: EditorState, problem: Problem): Diagnostic {
  const line = state.doc.line(Math.max(1, Math.min(problem.line, state.doc.lines)));
  const from = Math.min(line.from + problem.column - 1, line.to);
  const word = state.doc.sliceString(from, line.to).match(/^["']?[\w.{-]+["']?/)?.[0].length ?? 1;
  return { from, to: Math.min(from + Math.max(1, word), state.doc.length), severity: problem.severity === "hint" ? "info" : problem.severity === "warning" ? "warning" : "error", message: problem.message };
}

function offers(context: CompletionContext, around: Surroundings, script: boolean): CompletionResult | null {
  if (script) {
    const word = context.matchBefore(/\w+/);
    if (!word) return null;
    return { from: word.from, options: DURABLE_FUNCTIONS.map(([name, form]) => ({ label: name, detail: form, apply: form })) };
  }
  const line = context.state.doc.lineAt(context.pos);
  const before = line.text.slice(0, context.pos - line.from);
  if (!context.explicit && !/[\w.{|-]$|: $|- $/.test(before)) return null;
  const found = offersAt(context.state.doc.toString(), context.pos, around);
  if (!found) return null;
  return { from: found.from, options: found.options.map((one) => ({ label: one.label, detail: one.detail, info: one.about === "" ? undefined : one.about, apply: one.apply }) as { label: string }), validFor: /^[\w.-]*$/ };
}

function told(editor: EditorView, position: number, around: Surroundings) {
  const found = aboutAt(editor.state.doc.toString(), position, around);
  if (!found) return null;
  return {
    pos: found.from,
    end: found.to,
    create: () => {
      const dom = document.createElement("div");
      dom.className = styles.hover ?? "";
      const title = document.createElement("b");
      title.textContent = found.title;
      const about = document.createElement("p");
      about.textContent = found.about;
      dom.append(title, about);
      return { dom };
    },
  };
}
