// Steps on the clipboard are YAML text: they can be put into another workflow, a file or a chat, and come from there.

/** Used where the browser gives no clipboard (a page over plain HTTP): then it works within this window. */
let within = "";
/** What is being copied: who pastes at once waits for it, and gets no older text. */
let copying: Promise<void> | undefined;

export function copyText(text: string): void {
  within = text;
  copying = navigator.clipboard?.writeText(text).catch(() => undefined);
}

export async function pasteText(): Promise<string> {
  await copying;
  const text = await navigator.clipboard?.readText().catch(() => "");
  return text === undefined || text === "" ? within : text;
}

/** The text as a list of steps in the first column; one step alone becomes a list of one. */
export function asSteps(text: string): string {
  const lines = text.replaceAll("\r\n", "\n").replaceAll("\t", "  ").split("\n");
  const used = lines.filter((line) => line.trim() !== "");
  const indent = Math.min(...used.map((line) => line.search(/\S/)));
  const flush = lines.map((line) => line.slice(Math.min(indent, line.search(/\S|$/)))).join("\n").replaceAll(/^\n+|\n+$/g, "");
  const body = flush.match(/^steps:\s*\n([^]*)$/)?.[1];
  if (body !== undefined) return asSteps(body);
  const first = flush.split("\n").find((line) => !line.startsWith("#"));
  if (first === undefined || first.startsWith("- ") || first === "-") return flush;
  return flush.split("\n").map((line, index) => (index === 0 ? `- ${line}` : line === "" ? line : `  ${line}`)).join("\n");
}
