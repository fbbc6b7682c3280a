// Which file a module is built into. Left alone, every part that two pages share becomes a file of its own: sixty requests before
// the first page. Here what every page needs is one file, and what most pages need is another; the rest stays as it comes.

import path from "node:path";

/** What the bundler tells of a module. */
interface Module {
  importers: readonly string[];
  dynamicImporters: readonly string[];
  importedIds: readonly string[];
  dynamicallyImportedIds: readonly string[];
  code: string | null;
}

interface Modules {
  getModuleInfo: (id: string) => Module | null;
}

interface Plan {
  /** What the first page cannot do without, whichever it is. */
  start: Set<string>;
  /** How many pages need a module. */
  uses: Map<string, number>;
}

/** How many pages have to need a module to get it with the first of them. */
const MOST_PAGES = 4;
const FIRST = /\/src\/app\/main\.tsx$/;
const ROUTER = /\/src\/app\/router\.tsx$/;
/** Indexes of packages whose modules have no effect of their own: what is not taken is not built in. */
const BARREL = /\/@mantine\/(?:core|hooks|notifications)\/esm\/index\.mjs$|\/@tabler\/icons-react\/dist\/esm\/tabler-icons-react\.mjs$/;
const BUILDER = /BuilderPage\.tsx$/;

/** What a package's index gives under each name: the module that has it. */
function namesOf(barrel: string, code: string): Map<string, string> {
  const names = new Map<string, string>();
  for (const [, list, from] of code.matchAll(/(?:import|export)\s*\{([^}]*)\}\s*from\s*["'](\.[^"']+)["']/g)) {
    for (const name of (list ?? "").split(",")) {
      names.set(name.trim().replace(/^.* as /, ""), path.resolve(path.dirname(barrel), from ?? ""));
    }
  }
  return names;
}

/** What a module imports; of a package's index only what it takes by name, not everything that stands there. */
function importsOf(id: string, modules: Modules, barrels: Map<string, Map<string, string>>): string[] {
  const info = modules.getModuleInfo(id);
  const plain = (info?.importedIds ?? []).filter((to) => !BARREL.test(to));
  const taken = (info?.importedIds ?? [])
    .filter((to) => BARREL.test(to))
    .flatMap((barrel) => {
      const names = barrels.get(barrel) ?? namesOf(barrel, modules.getModuleInfo(barrel)?.code ?? "");
      barrels.set(barrel, names);
      const lists = [...(info?.code ?? "").matchAll(/import\s*\{([^}]*)\}\s*from\s*["'](?:@mantine\/|@tabler\/)[^"']+["']/g)].flatMap(([, list]) => (list ?? "").split(","));
      return lists.map((name) => names.get(name.trim().replace(/ as .*$/, ""))).filter((to) => to !== undefined);
    });
  return [...plain, ...taken];
}

/** All that a module cannot do without. */
function reached(from: string, modules: Modules, barrels: Map<string, Map<string, string>>): Set<string> {
  const seen = new Set<string>();
  const waiting = [from];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (!seen.has(id)) {
      seen.add(id);
      waiting.push(...importsOf(id, modules, barrels));
    }
  }
  return seen;
}

function plan(first: string, modules: Modules): Plan {
  const barrels = new Map<string, Map<string, string>>();
  const start = reached(first, modules, barrels);
  const router = [...start].find((id) => ROUTER.test(id));
  const pages = (modules.getModuleInfo(router ?? "")?.dynamicallyImportedIds ?? []).filter((id) => !BUILDER.test(id));
  const uses = new Map<string, number>();
  for (const page of pages) {
    for (const id of reached(page, modules, barrels)) {
      uses.set(id, (uses.get(id) ?? 0) + 1);
    }
  }
  return { start, uses };
}

let planned: Plan | null = null;

/** The file for a module: `start`, `pages`, or none by name. */
export function chunkOf(id: string, modules: Modules): string | null {
  planned ??= plan(firstOf(id, modules), modules);
  if (planned.start.has(id)) {
    return "start";
  }
  return (planned.uses.get(id) ?? 0) >= MOST_PAGES ? "pages" : null;
}

/** The entry, found upwards from any module. */
function firstOf(id: string, modules: Modules): string {
  const seen = new Set<string>();
  const waiting = [id];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (FIRST.test(at)) {
      return at;
    }
    if (!seen.has(at)) {
      seen.add(at);
      const info = modules.getModuleInfo(at);
      waiting.push(...(info?.importers ?? []), ...(info?.dynamicImporters ?? []));
    }
  }
  throw new Error(`no entry leads to ${id}`);
}
