// Moving blocks of text sideways.

/** Indents every line that is not empty by so many columns, or less when negative (as far as it has room). */
export function indented(text: string, columns: number): string {
  if (columns === 0) return text;
  const pad = " ".repeat(Math.max(columns, 0));
  return text
    .split("\n")
    .map((line) => {
      if (columns > 0) return line === "" ? line : pad + line;
      const room = line.search(/\S|$/);
      return line.slice(Math.min(room, -columns));
    })
    .join("\n");
}
