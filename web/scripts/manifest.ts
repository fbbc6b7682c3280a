// What the build's manifest says of its files.

/** A chunk as the manifest has it. */
interface Chunk {
  file: string;
  css?: string[];
  imports?: string[];
}

export type Manifest = Record<string, Chunk>;

/** The files of modules, and of what they cannot do without. */
export function filesOf(manifest: Manifest, modules: readonly string[]): Set<string> {
  const files = new Set<string>();
  const seen = new Set<string>();
  const waiting = [...modules];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const chunk = manifest[name];
    if (chunk !== undefined && !seen.has(name)) {
      seen.add(name);
      files.add(chunk.file);
      for (const style of chunk.css ?? []) {
        files.add(style);
      }
      waiting.push(...(chunk.imports ?? []));
    }
  }
  return files;
}
