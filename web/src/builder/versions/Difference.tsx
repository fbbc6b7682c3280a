// Two texts, line by line; long stretches that are the same are left out.
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import styles from "../builder.module.css";
import { difference, type DifferentLine } from "../session/merge";

const AROUND = 3;

interface Shown {
  at: number;
  line: DifferentLine | null;
}

export function Difference({ before, after }: { before: string; after: string }) {
  const { t } = useTranslation("builder");
  const lines = useMemo(() => shortened(difference(before.split("\n"), after.split("\n"))), [before, after]);
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- long lines are scrolled by keys
    <div className={styles.diff} dir="ltr" role="region" aria-label={t("versions.difference")} tabIndex={0}>
      {lines.map(({ at, line }) => (
        <div key={at} data-kind={line?.kind ?? "place"}>{line === null ? "…" : `${SIGNS[line.kind]} ${line.line}`}</div>
      ))}
    </div>
  );
}

const SIGNS = { same: " ", added: "+", removed: "−" } as const;

function shortened(lines: readonly DifferentLine[]): Shown[] {
  const near = lines.map((_, index) => lines.slice(Math.max(0, index - AROUND), index + AROUND + 1).some((line) => line.kind !== "same"));
  return lines.flatMap((line, index): Shown[] => (near[index] ? [{ at: index, line }] : near[index - 1] || index === 0 ? [{ at: index, line: null }] : []));
}
