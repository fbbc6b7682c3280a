// The keyboard on the graph: what commandOf says, done.
import { notifications } from "@mantine/notifications";
import { useCallback, useLayoutEffect, useRef, type KeyboardEvent, type RefObject } from "react";
import { useTranslation } from "react-i18next";
import type { CanvasHandle } from "../canvas/Canvas";
import { neighbour, type Direction } from "../graph/walk";
import type { Problem } from "../problems/problems";
import { asSteps, copyText, pasteText } from "../session/clipboard";
import { placeBehind, type Builder } from "../session/useBuilder";
import { commandOf, isTyping, type Command } from "./shortcuts";

export interface CommandHands {
  builder: Builder;
  canvas: RefObject<CanvasHandle | null>;
  problems: readonly Problem[];
  select: (selected: readonly string[]) => void;
  fold: (pointer: string) => void;
  palette: () => void;
  simulate: () => void;
  publish: () => void;
  help: () => void;
  rename: () => void;
  open: () => void;
  close: () => void;
  showProblem: (problem: Problem) => void;
}

export function useCommands(hands: CommandHands): { onKey: (event: KeyboardEvent) => void; run: (command: Command) => void } {
  const { t } = useTranslation("builder");
  const latest = useRef(hands);
  useLayoutEffect(() => { latest.current = hands; });
  const problemAt = useRef(-1);

  const walk = useCallback((direction: Direction, extend: boolean) => {
    const { builder, canvas } = latest.current;
    const drawing = canvas.current?.drawing;
    if (!drawing) return;
    const { selected } = builder.session;
    const last = selected.at(-1);
    const next = last === undefined ? "start" : neighbour(drawing, last, direction);
    if (next === null || next === "end") return;
    builder.select(extend ? [...selected.filter((one) => one !== next), next] : [next]);
    canvas.current?.show(next);
  }, []);

  const paste = useCallback(async () => {
    const { builder, canvas } = latest.current;
    const text = asSteps(await pasteText());
    if (text === "") return;
    const done = builder.paste(text, placeBehind(builder.tree, builder.session.selected));
    if (done && done.missing.length > 0) notifications.show({ color: "yellow", message: t("paste.missing", { steps: done.missing.join(", ") }) });
    canvas.current?.show(builder.session.selected[0] ?? "start");
  }, [t]);

  const run = useCallback(
    (command: Command) => {
      const now = latest.current;
      const { builder, canvas } = now;
      const { selected } = builder.session;
      const [only] = builder.steps;
      switch (command) {
        case "up": case "down": case "left": case "right":
          return walk(command, false);
        case "extendUp":
          return walk("up", true);
        case "extendDown":
          return walk("down", true);
        case "moveUp": case "moveDown":
          return builder.steps.length > 0 ? builder.nudge(selected, command === "moveUp" ? -1 : 1) : undefined;
        case "undo":
          return builder.undo();
        case "redo":
          return builder.redo();
        case "copy":
          return builder.steps.length > 0 ? copyText(builder.copy(selected)) : undefined;
        case "cut":
          if (builder.steps.length === 0) return undefined;
          copyText(builder.copy(selected));
          return builder.remove(selected);
        case "paste":
          return void paste();
        case "duplicate":
          return builder.duplicate(selected);
        case "selectAll":
          return now.select(builder.tree.all.map((step) => step.pointer));
        case "delete":
          return builder.steps.length > 0 ? builder.remove(selected) : undefined;
        case "fit":
          return canvas.current?.fit();
        case "reset":
          return canvas.current?.reset();
        case "collapse":
          return only && only.branches.length > 0 ? now.fold(only.pointer) : undefined;
        case "nextProblem": {
          if (now.problems.length === 0) return undefined;
          problemAt.current = (problemAt.current + 1) % now.problems.length;
          const problem = now.problems[problemAt.current];
          return problem && now.showProblem(problem);
        }
        default:
          return now[command]();
      }
    },
    [walk, paste],
  );

  const onKey = useCallback(
    (event: KeyboardEvent) => {
      if (isTyping(event.target)) return;
      const onButton = event.target instanceof HTMLElement && event.target.closest("button") !== null;
      const command = commandOf(event);
      if (command === null || (onButton && (event.key === "Enter" || event.key === " "))) return;
      event.preventDefault();
      event.stopPropagation();
      run(command);
    },
    [run],
  );
  return { onKey, run };
}
