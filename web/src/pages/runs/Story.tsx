import { UnstyledButton } from "@mantine/core";
import {
  type Icon,
  IconAlertTriangle,
  IconBan,
  IconCheck,
  IconChevronDown,
  IconFlag,
  IconHourglass,
  IconPlayerPlay,
  IconPlayerSkipForward,
} from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Moment, useNow } from "../../parts/Moment";
import { lasting } from "../../parts/moments";
import { Note } from "./Note";
import classes from "./Runs.module.css";
import { type Chapter, type StepChapter, type StepState, tookMs } from "./story";

const SIGNS: Record<StepState, Icon> = {
  running: IconPlayerPlay,
  waiting: IconHourglass,
  done: IconCheck,
  failed: IconAlertTriangle,
  skipped: IconPlayerSkipForward,
  cancelled: IconBan,
};

/** What a run did, from its start on; each step opens to show its values. */
export function Story({ chapters }: { chapters: readonly Chapter[] }) {
  return (
    <ol className={classes.story}>
      {chapters.map((chapter) => (
        <li key={chapter.seq} className={classes.chapter}>
          {chapter.type === "step" ? (
            <Step chapter={chapter} />
          ) : (
            <>
              <span className={classes.sign}>
                <IconFlag size={15} aria-hidden />
              </span>
              <div className={classes.note}>
                <Note entry={chapter.entry} />{" "}
                <span className={classes.quiet}>
                  <Moment at={chapter.entry.at} />
                </span>
              </div>
            </>
          )}
        </li>
      ))}
    </ol>
  );
}

function Step({ chapter }: { chapter: StepChapter }) {
  const { t, i18n } = useTranslation("runs");
  const now = useNow();
  const [open, setOpen] = useState(chapter.state === "failed");
  const Sign = SIGNS[chapter.state];
  const took = tookMs(chapter, now);
  return (
    <>
      <span className={classes.sign} data-state={chapter.state}>
        <Sign size={16} aria-hidden />
      </span>
      <div className={classes.step}>
        <UnstyledButton className={classes.stepHead} aria-expanded={open} onClick={() => setOpen(!open)}>
          <bdi className={classes.stepName}>{chapter.step}</bdi>
          {chapter.node !== null && <bdi className={classes.quiet}>{chapter.node}</bdi>}
          <span className={classes.grow} />
          <span className={classes.quiet}>
            {t(`step.${chapter.state}`)}
            {chapter.attempts > 1 && ` · ${t("step.attempts", { count: chapter.attempts })}`}
            {chapter.state !== "waiting" && took > 0 && ` · ${lasting(took, i18n.language)}`}
          </span>
          <IconChevronDown size={16} aria-hidden style={{ transform: open ? "rotate(180deg)" : undefined, alignSelf: "center" }} />
        </UnstyledButton>
        {open && (
          <div className={classes.values}>
            {chapter.error !== null && (
              <div>
                <h3>{t("step.error")}</h3>
                <p className={classes.said} dir="auto">
                  {chapter.error.message} <code>{chapter.error.code}</code>
                </p>
              </div>
            )}
            {chapter.notes.map((note) => (
              <div key={note.seq}>
                <Note entry={note} />
              </div>
            ))}
            <Value title={t("step.input")} value={chapter.input} />
            <Value title={t("step.output")} value={chapter.output} />
            <p className={classes.quiet}>
              <Moment at={chapter.began} exact />
            </p>
          </div>
        )}
      </div>
    </>
  );
}

function Value({ title, value }: { title: string; value: unknown }) {
  if (value === undefined || value === null) {
    return null;
  }
  return (
    <div>
      <h3>{title}</h3>
      {/* A long value scrolls, so the keyboard must reach it. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre className={classes.value} dir="ltr" tabIndex={0} role="region" aria-label={title}>
        {typeof value === "string" ? value : JSON.stringify(value, null, 2)}
      </pre>
    </div>
  );
}
