import { Checkbox } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Run } from "../../client/schema";
import { objectOf, readJson } from "../../parts/json";
import { JsonField } from "../../parts/JsonField";
import { DeedDialog } from "./DeedDialog";
import { useLookAgain } from "./look-again";
import type { Chapter } from "./story";

/** The input of the step that failed last, as it was. */
function failedInput(chapters: readonly Chapter[]): string {
  const failed = chapters.findLast((chapter) => chapter.type === "step" && chapter.state === "failed");
  return failed?.type === "step" && failed.input !== undefined ? JSON.stringify(failed.input, null, 2) : "";
}

export function RetryDialog({ run, chapters, close }: { run: Run; chapters: readonly Chapter[]; close: () => void }) {
  const { t } = useTranslation("runs");
  const look = useLookAgain(run.id);
  const before = failedInput(chapters);
  const [text, setText] = useState(before);
  const [notDone, setNotDone] = useState(false);
  const retry = api.useMutation("post", "/api/v1/runs/{id}/retry", {
    onSuccess: () => {
      look();
      close();
    },
  });
  const read = readJson(text);
  const isUnknown = (run.error as { code?: string } | null)?.code === "outcome_unknown";
  const submit = () => {
    const input = read.valid && text !== before ? objectOf(read.value) : undefined;
    retry.mutate({ params: { path: { id: run.id } }, body: { not_done: notDone, ...(input === undefined ? {} : { input }) } });
  };
  return (
    <DeedDialog
      title={t("action.retry")}
      text={t("retry.text")}
      submit={t("action.retry")}
      pending={retry.isPending}
      error={retry.error}
      disabled={!read.valid}
      close={close}
      onSubmit={submit}
    >
      <JsonField label={t("retry.input")} description={t("retry.inputHint")} value={text} onChange={setText} />
      {isUnknown && <Checkbox label={t("retry.notDone")} checked={notDone} onChange={(event) => setNotDone(event.currentTarget.checked)} />}
    </DeedDialog>
  );
}
