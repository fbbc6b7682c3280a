// Which file a module is built into. Left alone, every part that two pages share becomes a file of its own: sixty requests before
// the first page, and over a slow line each costs a way there and back. Here what every page needs is one file; what several pages
// need, or is too small for a way of its own, is another. The rest stays as it comes.

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
  barrels: Map<string, Map<string, string>>;
}

/** How many pages have to need a module to get it with the first of them. */
const MOST_PAGES = 4;
/** Letters of source below which a module that a page needs, with what it brings, is no file of its own. */
const SMALL = 4_000;
/** The styles of pages are few: they come with those of all. */
const PAGE_STYLES = /\/src\/(?:app|pages|parts)\/.*\.css$/;
const FIRST = /\/src\/app\/main\.tsx$/;
const ROUTER = /\/src\/app\/router\.tsx$/;
/** Indexes of packages whose modules have no effect of their own: what is not taken is not built in. */
const BARREL = /\/@mantine\/(?:core|hooks|notifications)\/esm\/index\.mjs$|\/@tabler\/icons-react\/dist\/esm\/tabler-icons-react\.mjs$/;
const BUILDER = /BuilderPage\.tsx$/;
const PAGE = /\/src\/pages\//;

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
  return { start, uses, barrels };
}

/** Whether a module that pages share is small, with all that would come with it. */
function isSmall(id: string, modules: Modules, { start, uses, barrels }: Plan): boolean {
  if (PAGE.test(id)) {
    return false;
  }
  const brought = [...reached(id, modules, barrels)].filter((one) => !start.has(one) && (uses.get(one) ?? 0) < MOST_PAGES);
  return brought.reduce((sum, one) => sum + (modules.getModuleInfo(one)?.code?.length ?? SMALL), 0) < SMALL;
}

let planned: Plan | null = null;

/** The file for a module: `start`, `pages`, or none by name. */
export function chunkOf(id: string, modules: Modules): string | null {
  planned ??= plan(firstOf(id, modules), modules);
  if (planned.start.has(id)) {
    return "start";
  }
  const uses = planned.uses.get(id) ?? 0;
  return uses >= MOST_PAGES || PAGE_STYLES.test(id) || (uses > 0 && isSmall(id, modules, planned)) ? "pages" : null;
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
