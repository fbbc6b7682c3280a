import { TextInput } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { DeedDialog } from "../runs/DeedDialog";
import { beginning, nameOf } from "./names";

/** Begins a draft under a name and opens the builder. */
export function NewWorkflow({ close }: { close: () => void }) {
  const { t } = useTranslation("workflows");
  const navigate = useNavigate();
  const [typed, setTyped] = useState("");
  const name = nameOf(typed);
  const taken = api.useQuery("get", "/api/v1/workflows/{name}", { params: { path: { name } } }, { enabled: name !== "", retry: false });
  const make = api.useMutation("put", "/api/v1/workflows/{name}/draft", {
    onSuccess: ({ workflow }) => {
      close();
      void navigate({ to: "/workflows/$name", params: { name: workflow }, search: {} });
    },
  });
  return (
    <DeedDialog
      title={t("add")}
      text={t("new.text")}
      submit={t("new.submit")}
      pending={make.isPending}
      error={make.error}
      disabled={name === "" || taken.isSuccess}
      close={close}
      onSubmit={() => make.mutate({ params: { path: { name } }, body: { source: beginning(name) } })}
    >
      <TextInput
        label={t("new.name")}
        description={name === "" ? t("new.nameHint") : t("new.becomes", { name })}
        error={taken.isSuccess && name !== "" ? t("new.taken") : null}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        data-autofocus
        autoComplete="off"
      />
    </DeedDialog>
  );
}
