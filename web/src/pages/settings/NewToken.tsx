import { Alert, Modal, Stack, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { CopyButton } from "../../parts/CopyButton";
import { DeedDialog } from "../runs/DeedDialog";
import { RoleField } from "./RoleField";
import classes from "./Settings.module.css";

const PATH = "/api/v1/tokens";

/** Makes a token and shows it, the only time that it can be seen. */
export function NewToken({ close, made }: { close: () => void; made: () => void }) {
  const { t } = useTranslation(["settings", "shell"]);
  const [name, setName] = useState("");
  const [role, setRole] = useState("agent");
  const make = api.useMutation("post", PATH, { onSuccess: made });
  if (make.data !== undefined) {
    const { token } = make.data;
    return (
      <Modal opened onClose={close} title={t("settings:tokens.made")} closeButtonProps={{ "aria-label": t("shell:close") }}>
        <Stack>
          <Alert color="yellow">{t("settings:tokens.onlyOnce")}</Alert>
          <span className={classes.address} dir="ltr">
            <code>{token}</code>
            <CopyButton value={token} label={t("settings:tokens.copy")} />
          </span>
        </Stack>
      </Modal>
    );
  }
  return (
    <DeedDialog title={t("settings:tokens.add")} text={t("settings:tokens.newText")} submit={t("settings:tokens.add")} pending={make.isPending} error={make.error} close={close} onSubmit={() => make.mutate({ body: { name, role } })}>
      <TextInput label={t("settings:column.name")} value={name} onChange={(event) => setName(event.currentTarget.value)} required data-autofocus autoComplete="off" />
      <RoleField value={role} onChange={setRole} />
    </DeedDialog>
  );
}
