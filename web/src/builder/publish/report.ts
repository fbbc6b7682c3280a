// Reports of many runs come in pages: put together they count each step and each obstacle once. Pure.
import type { MigratedStep, MigrationObstacle, MigrationReport } from "../../client/schema";

export function wholeReport(pages: readonly MigrationReport[]): MigrationReport {
  const [first] = pages;
  if (!first) throw new Error("a report has one page at least");
  const sum = (of: (page: MigrationReport) => number): number => pages.reduce((total, page) => total + of(page), 0);
  return {
    ...first,
    runs: sum((page) => page.runs),
    moved: sum((page) => page.moved),
    changed: sum((page) => page.changed),
    steps: added(pages.flatMap((page) => page.steps), stepKey),
    obstacles: added(pages.flatMap((page) => page.obstacles), obstacleKey),
    next_cursor: null,
  };
}

function stepKey({ from, step, place, to_step }: MigratedStep): string {
  return JSON.stringify([from, step, place, to_step]);
}

function obstacleKey({ from, code, message }: MigrationObstacle): string {
  return JSON.stringify([from, code, message]);
}

/** Rows of one key become one, with the runs of all. */
function added<Row extends { runs: number }>(rows: readonly Row[], key: (row: Row) => string): Row[] {
  const found = new Map<string, Row>();
  for (const row of rows) {
    const before = found.get(key(row));
    found.set(key(row), before ? { ...before, runs: before.runs + row.runs } : row);
  }
  return [...found.values()];
}
