// The workflow files that Onward ships: what every test of the document goes over.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../../../..");

function yamlFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return yamlFiles(path);
    return entry.name.endsWith(".yaml") && !entry.name.endsWith(".test.yaml") ? [path] : [];
  });
}

/** Name and text of each workflow in `workflows/` and `examples/`. */
export const shipped: readonly (readonly [name: string, source: string])[] = [...yamlFiles(join(root, "workflows")), ...yamlFiles(join(root, "examples"))].map(
  (path) => [path.slice(root.length + 1), readFileSync(path, "utf8")] as const,
);
