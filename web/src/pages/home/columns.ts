// The counts of an overview as columns that stand side by side, those without any included. Pure.

import type { Overview } from "../../client/schema";

export interface Column {
  at: number;
  parts: Record<string, number>;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

function every(at: number, spanMs: number, count: number, known: Map<number, Record<string, number>>): Column[] {
  const last = Math.floor(at / spanMs) * spanMs;
  return Array.from({ length: count }, (_, index) => {
    const moment = last - (count - 1 - index) * spanMs;
    return { at: moment, parts: known.get(moment) ?? {} };
  });
}

/** The last 24 hours. */
export function everyHour({ at, hours }: Pick<Overview, "at" | "hours">): Column[] {
  return every(Date.parse(at), HOUR_MS, 24, new Map(hours.map((hour) => [Date.parse(hour.at), hour.runs])));
}

/** The last 60 minutes. */
export function everyMinute({ at, minutes }: Pick<Overview, "at" | "minutes">): Column[] {
  return every(Date.parse(at), MINUTE_MS, 60, new Map(minutes.map((minute) => [Date.parse(minute.at), { events: minute.events }])));
}

/** Runs that began in the last 24 hours and have failed. */
export function failedOf({ hours }: Pick<Overview, "hours">): number {
  return hours.reduce((sum, hour) => sum + (hour.runs.failed ?? 0), 0);
}

export function totalOf(column: Column): number {
  return Object.values(column.parts).reduce((sum, part) => sum + part, 0);
}

/** The top of the scale: the next round number. */
export function topOf(columns: readonly Column[]): number {
  const most = Math.max(1, ...columns.map(totalOf));
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= most) ?? 10;
  return step * power;
}
