import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Run } from "../../client/schema";
import { readJson } from "../../parts/json";
import { JsonField } from "../../parts/JsonField";
import { DeedDialog } from "./DeedDialog";
import { useLookAgain } from "./look-again";

export function SkipDialog({ run, close }: { run: Run; close: () => void }) {
  const { t } = useTranslation("runs");
  const look = useLookAgain(run.id);
  const [text, setText] = useState("");
  const skip = api.useMutation("post", "/api/v1/runs/{id}/skip", {
    onSuccess: () => {
      look();
      close();
    },
  });
  const read = readJson(text);
  const submit = () => {
    // Whatever JSON says: a step may give a number, a text or a list as well as an object; the document says only object.
    const output = read.valid ? (read.value as Record<string, never> | undefined) : undefined;
    skip.mutate({ params: { path: { id: run.id } }, body: output === undefined ? {} : { output } });
  };
  return (
    <DeedDialog title={t("action.skip")} text={t("skip.text")} submit={t("action.skip")} pending={skip.isPending} error={skip.error} disabled={!read.valid} close={close} onSubmit={submit}>
      <JsonField label={t("skip.output")} description={t("skip.outputHint")} value={text} onChange={setText} />
    </DeedDialog>
  );
}
