// Times in words. Pure.

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000_000],
  ["month", 2_592_000_000],
  ["week", 604_800_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** "3 minutes ago", "in 2 days"; within a minute "now". */
export function relative(at: number, now: number, language: string): string {
  const words = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "long" });
  const away = at - now;
  for (const [unit, millis] of UNITS) {
    if (Math.abs(away) >= millis) {
      return words.format(Math.trunc(away / millis), unit);
    }
  }
  return words.format(0, "second");
}

/** "1.2 s", "340 ms", "3 min", "2 d": how long something took. */
export function lasting(millis: number, language: string): string {
  const said = (value: number, unit: string, digits = 0) =>
    new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits }).format(value);
  if (millis < 1_000) {
    return said(Math.round(millis), "millisecond");
  }
  if (millis < 60_000) {
    return said(millis / 1_000, "second", 1);
  }
  if (millis < 3_600_000) {
    return said(millis / 60_000, "minute", 1);
  }
  return millis < 86_400_000 ? said(millis / 3_600_000, "hour", 1) : said(millis / 86_400_000, "day", 1);
}

/** The day that a moment is on, for headings between messages. */
export function dayOf(at: string, now: number, language: string): string {
  const date = new Date(at);
  const midnight = (moment: Date) => new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime();
  const days = Math.round((midnight(date) - midnight(new Date(now))) / 86_400_000);
  if (days === 0 || days === -1) {
    return new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(days, "day");
  }
  return new Intl.DateTimeFormat(language, { dateStyle: "full" }).format(date);
}
