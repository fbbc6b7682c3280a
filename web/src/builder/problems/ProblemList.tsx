// All problems of a file, each with its place and, where there is one, its mending.
import { Badge, Button, Group, ScrollArea, Text } from "@mantine/core";
import { IconAlertTriangle, IconBulb, IconCircleCheck, IconInfoCircle, IconWand } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { fixOf, type Problem } from "./problems";
import styles from "./problems.module.css";

const SIGNS = { error: IconAlertTriangle, warning: IconInfoCircle, hint: IconBulb } as const;

export function ProblemList({ problems, source, readOnly, onShow, onFix }: { problems: readonly Problem[]; source: string; readOnly: boolean; onShow: (problem: Problem) => void; onFix: (source: string) => void }) {
  const { t } = useTranslation("builder");
  if (problems.length === 0) {
    return <Group gap="xs" p="sm" c="dimmed"><IconCircleCheck size={18} aria-hidden /><Text size="sm">{t("problems.none")}</Text></Group>;
  }
  return (
    <ScrollArea.Autosize mah={220} className={styles.scroll}>
      <ul className={styles.list} aria-label={t("problems.title")}>
        {problems.map((problem) => {
          const fix = readOnly ? null : fixOf(problem, source);
          const Sign = SIGNS[problem.severity as keyof typeof SIGNS] ?? IconInfoCircle;
          return (
            <li key={`${problem.pointer} ${problem.code} ${problem.message}`} className={styles.problem} data-severity={problem.severity}>
              <button type="button" className={styles.show} onClick={() => onShow(problem)}>
                <Sign size={16} aria-label={t(`problems.severity.${problem.severity as "error"}`)} />
                <Badge size="sm" variant="default" className={styles.line}>{t("problems.line", { line: problem.line })}</Badge>
                <span dir="auto">{problem.message}</span>
              </button>
              {fix && (
                <Button size="compact-xs" variant="light" leftSection={<IconWand size={13} />} onClick={() => onFix(fix.apply(source))}>
                  {t(`problems.fix.${fix.kind}`, { text: fix.text })}
                </Button>
              )}
            </li>
          );
        })}
      </ul>
    </ScrollArea.Autosize>
  );
}
