import { NumberInput, Select } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Run } from "../../client/schema";
import { objectOf, readJson } from "../../parts/json";
import { JsonField } from "../../parts/JsonField";
import { DeedDialog } from "./DeedDialog";
import { type Chapter, inputOf, stepsOf } from "./story";

/** Goes on with a copy of the run from one of its steps, with what went into it or something else, on its own version or another. */
export function ForkDialog({ run, chapters, close }: { run: Run; chapters: readonly Chapter[]; close: () => void }) {
  const { t } = useTranslation("runs");
  const navigate = useNavigate();
  const [step, setStep] = useState<string | null>(null);
  const [text, setText] = useState<string | null>(null);
  const [version, setVersion] = useState<number | string>(run.version);
  const fork = api.useMutation("post", "/api/v1/runs/{id}/fork", {
    onSuccess: ({ run_id }) => {
      close();
      void navigate({ to: "/runs/$id", params: { id: run_id } });
    },
  });
  const before = inputOf(chapters, step);
  const written = text ?? before ?? "";
  const read = readJson(written);
  const input = read.valid ? objectOf(read.value) : undefined;
  const changed = before !== null && written !== before;
  const submit = () => {
    const other = typeof version === "number" && version !== run.version ? version : null;
    fork.mutate({ params: { path: { id: run.id } }, body: { step, version: other, ...(changed && input !== undefined && { input }) } });
  };
  const choose = (next: string | null) => {
    setStep(next);
    setText(null);
  };
  return (
    <DeedDialog
      title={t("action.fork")}
      text={t("fork.text")}
      submit={t("fork.submit")}
      pending={fork.isPending}
      error={fork.error}
      disabled={changed && input === undefined}
      close={close}
      onSubmit={submit}
    >
      <Select label={t("fork.step")} placeholder={t("fork.whereItStands")} data={stepsOf(chapters)} value={step} onChange={choose} clearable searchable />
      {before !== null && <JsonField label={t("retry.input")} description={t("fork.inputHint")} value={written} onChange={setText} />}
      <NumberInput label={t("fork.version")} value={version} min={1} onChange={setVersion} allowDecimal={false} />
    </DeedDialog>
  );
}
