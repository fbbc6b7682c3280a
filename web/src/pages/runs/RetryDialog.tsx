import { Checkbox } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Run } from "../../client/schema";
import { objectOf, readJson } from "../../parts/json";
import { JsonField } from "../../parts/JsonField";
import { DeedDialog } from "./DeedDialog";
import { useLookAgain } from "./look-again";
import { type Chapter, inputOf } from "./story";

export function RetryDialog({ run, chapters, close }: { run: Run; chapters: readonly Chapter[]; close: () => void }) {
  const { t } = useTranslation("runs");
  const look = useLookAgain(run.id);
  const before = inputOf(chapters, null) ?? "";
  // What went in may be read after the dialog is open.
  const [written, setText] = useState<string | null>(null);
  const text = written ?? before;
  const [notDone, setNotDone] = useState(false);
  const retry = api.useMutation("post", "/api/v1/runs/{id}/retry", {
    onSuccess: () => {
      look();
      close();
    },
  });
  const read = readJson(text);
  const isUnknown = (run.error as { code?: string } | null)?.code === "outcome_unknown";
  const changed = text !== before && text.trim() !== "";
  const input = read.valid && changed ? objectOf(read.value) : undefined;
  const submit = () => {
    retry.mutate({ params: { path: { id: run.id } }, body: { not_done: notDone, ...(input === undefined ? {} : { input }) } });
  };
  return (
    <DeedDialog
      title={t("action.retry")}
      text={t("retry.text")}
      submit={t("action.retry")}
      pending={retry.isPending}
      error={retry.error}
      disabled={changed && input === undefined}
      close={close}
      onSubmit={submit}
    >
      <JsonField label={t("retry.input")} description={t("retry.inputHint")} value={text} onChange={setText} />
      {isUnknown && <Checkbox label={t("retry.notDone")} checked={notDone} onChange={(event) => setNotDone(event.currentTarget.checked)} />}
    </DeedDialog>
  );
}
