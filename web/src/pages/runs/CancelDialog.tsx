import { Checkbox, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Run } from "../../client/schema";
import { DeedDialog } from "./DeedDialog";
import { useLookAgain } from "./look-again";

export function CancelDialog({ run, close }: { run: Run; close: () => void }) {
  const { t } = useTranslation("runs");
  const look = useLookAgain(run.id);
  const [reason, setReason] = useState("");
  const [force, setForce] = useState(false);
  const cancel = api.useMutation("post", "/api/v1/runs/{id}/cancel", {
    onSuccess: () => {
      look();
      close();
    },
  });
  return (
    <DeedDialog
      title={t("action.cancel")}
      text={t("cancel.text")}
      submit={t("cancel.submit")}
      danger
      pending={cancel.isPending}
      error={cancel.error}
      close={close}
      onSubmit={() => cancel.mutate({ params: { path: { id: run.id } }, body: { reason: reason === "" ? null : reason, force } })}
    >
      <TextInput label={t("cancel.reason")} value={reason} onChange={(event) => setReason(event.currentTarget.value)} data-autofocus />
      <Checkbox label={t("cancel.force")} description={t("cancel.forceHint")} checked={force} onChange={(event) => setForce(event.currentTarget.checked)} />
    </DeedDialog>
  );
}
