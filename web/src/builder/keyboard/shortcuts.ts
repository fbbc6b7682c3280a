// Which key does what on the graph. Never while somebody types into a field.

export type Command =
  | "palette" | "undo" | "redo" | "copy" | "cut" | "paste" | "duplicate" | "selectAll" | "delete" | "rename" | "open" | "fit" | "reset" | "simulate" | "publish"
  | "up" | "down" | "left" | "right" | "extendUp" | "extendDown" | "moveUp" | "moveDown" | "collapse" | "nextProblem" | "help" | "close";

export interface Key {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
}

/** What a key means on the graph; `null` when nothing. */
export function commandOf({ key, ctrlKey, metaKey, shiftKey, altKey }: Key): Command | null {
  const letter = key.length === 1 ? key.toLowerCase() : key;
  if (ctrlKey || metaKey) {
    if (letter === "z") return shiftKey ? "redo" : "undo";
    return ({ y: "redo", c: "copy", x: "cut", v: "paste", d: "duplicate", a: "selectAll", Enter: "simulate" } as Record<string, Command>)[letter] ?? null;
  }
  if (altKey) return ({ ArrowUp: "moveUp", ArrowDown: "moveDown" } as Record<string, Command>)[key] ?? null;
  if (shiftKey && letter === "p") return "publish";
  if (shiftKey && key === "ArrowUp") return "extendUp";
  if (shiftKey && key === "ArrowDown") return "extendDown";
  const plain: Record<string, Command> = {
    n: "palette", Delete: "delete", Backspace: "delete", F2: "rename", Enter: "open", "1": "fit", "0": "reset", ArrowUp: "up", ArrowDown: "down",
    ArrowLeft: "left", ArrowRight: "right", " ": "collapse", e: "nextProblem", "?": "help", Escape: "close",
  };
  return plain[letter] ?? null;
}

/** Whether keys belong to the thing that has the focus: a field, an editor, an open list. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.closest("input, textarea, select, [contenteditable=true], [role=listbox], [role=dialog], [role=menu], .cm-editor") !== null;
}

/** The table that `?` shows. */
export const SHORTCUTS: readonly (readonly [Command, string])[] = [
  ["palette", "N"], ["open", "Enter"], ["rename", "F2"], ["delete", "Del"], ["copy", "Ctrl+C"], ["cut", "Ctrl+X"], ["paste", "Ctrl+V"], ["duplicate", "Ctrl+D"],
  ["selectAll", "Ctrl+A"], ["undo", "Ctrl+Z"], ["redo", "Ctrl+Shift+Z"], ["up", "↑ ↓ ← →"], ["extendDown", "Shift+↑ ↓"], ["moveUp", "Alt+↑ ↓"], ["collapse", "Space"],
  ["nextProblem", "E"], ["fit", "1"], ["reset", "0"], ["simulate", "Ctrl+Enter"], ["publish", "Shift+P"], ["help", "?"],
];
