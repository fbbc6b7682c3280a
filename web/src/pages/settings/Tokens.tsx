import { Alert, Badge, Button, Code, Modal, Select, Stack, TextInput, VisuallyHidden } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconKey, IconPlus } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { CopyButton } from "../../parts/CopyButton";
import { EmptyState } from "../../parts/EmptyState";
import listClasses from "../../parts/list.module.css";
import { LoadFailed } from "../../parts/LoadFailed";
import { Moment } from "../../parts/Moment";
import { RowsLoading } from "../../parts/RowsLoading";
import { tellProblem } from "../../parts/tell";
import { DeedDialog } from "../runs/DeedDialog";
import classes from "./Settings.module.css";

const PATH = "/api/v1/tokens";

export function Tokens() {
  const { t } = useTranslation(["settings", "shell"]);
  const queries = useQueryClient();
  const [adding, { open, close }] = useDisclosure(false);
  const [made, setMade] = useState<string | null>(null);
  const list = api.useQuery("get", PATH);
  const again = () => void queries.invalidateQueries({ queryKey: ["get", PATH] });
  const revoke = api.useMutation("delete", "/api/v1/tokens/{id}", { onSuccess: again, onError: tellProblem });
  return (
    <>
      <div className={classes.head}>
        <p>{t("settings:tokens.about")}</p>
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
          {t("settings:tokens.add")}
        </Button>
      </div>
      {list.isPending && <RowsLoading rows={3} />}
      {list.isError && list.data === undefined && <LoadFailed error={list.error} retry={list.refetch} />}
      {list.data?.items.length === 0 && <EmptyState icon={IconKey} title={t("settings:tokens.empty")} />}
      {list.data !== undefined && list.data.items.length > 0 && (
        <div className={listClasses.card}>
          <table className={listClasses.table}>
            <thead>
              <tr>
                <th scope="col">{t("settings:column.name")}</th>
                <th scope="col">{t("settings:users.role")}</th>
                <th scope="col">{t("settings:tokens.lastUsed")}</th>
                <th scope="col">
                  <VisuallyHidden>{t("settings:column.actions")}</VisuallyHidden>
                </th>
              </tr>
            </thead>
            <tbody>
              {list.data.items.map((token) => (
                <tr key={token.id}>
                  <td>
                    <bdi style={{ fontWeight: 560 }}>{token.name}</bdi> <Code dir="ltr">{`${token.hint}…`}</Code>
                  </td>
                  <td>{token.role === "admin" ? t("settings:role.admin") : t("settings:role.agent")}</td>
                  <td className={listClasses.quiet}>{token.last_used_at === null ? t("settings:never") : <Moment at={token.last_used_at} />}</td>
                  <td>
                    {token.revoked_at === null ? (
                      <Button
                        variant="default"
                        size="xs"
                        aria-label={t("settings:tokens.revokeNamed", { name: token.name })}
                        onClick={() => revoke.mutate({ params: { path: { id: token.id } } })}
                      >
                        {t("settings:tokens.revoke")}
                      </Button>
                    ) : (
                      <Badge variant="default" tt="none">
                        {t("settings:tokens.revoked")}
                      </Badge>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {adding && (
        <NewToken
          close={close}
          made={(token) => {
            setMade(token);
            again();
          }}
        />
      )}
      <Modal opened={made !== null} onClose={() => setMade(null)} title={t("settings:tokens.made")} closeButtonProps={{ "aria-label": t("shell:close") }}>
        <Stack>
          <Alert color="yellow">{t("settings:tokens.onlyOnce")}</Alert>
          <span className={classes.address} dir="ltr">
            <code>{made}</code>
            <CopyButton value={made ?? ""} label={t("settings:tokens.copy")} />
          </span>
        </Stack>
      </Modal>
    </>
  );
}

function NewToken({ close, made }: { close: () => void; made: (token: string) => void }) {
  const { t } = useTranslation("settings");
  const [name, setName] = useState("");
  const [role, setRole] = useState("agent");
  const make = api.useMutation("post", PATH, {
    onSuccess: ({ token }) => {
      close();
      made(token);
    },
  });
  return (
    <DeedDialog title={t("tokens.add")} text={t("tokens.newText")} submit={t("tokens.add")} pending={make.isPending} error={make.error} close={close} onSubmit={() => make.mutate({ body: { name, role } })}>
      <TextInput label={t("column.name")} value={name} onChange={(event) => setName(event.currentTarget.value)} required data-autofocus autoComplete="off" />
      <Select
        label={t("users.role")}
        data={[
          { value: "agent", label: t("role.agent") },
          { value: "admin", label: t("role.admin") },
        ]}
        value={role}
        onChange={(next) => setRole(next ?? "agent")}
        allowDeselect={false}
      />
    </DeedDialog>
  );
}
