import { Checkbox, Fieldset, PasswordInput, Select, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { DeedDialog } from "../runs/DeedDialog";
import { type Field, fieldsOf, valuesOf } from "./fields";

/** A form that the chosen connector's schemas make. Secrets go in and never come out. */
export function NewConnection({ close }: { close: () => void }) {
  const { t } = useTranslation("settings");
  const queries = useQueryClient();
  const connectors = api.useQuery("get", "/api/v1/connectors", undefined, { staleTime: Number.POSITIVE_INFINITY });
  const [chosen, setChosen] = useState<string | null>(null);
  const [name, setName] = useState("");
  const [config, setConfig] = useState<Record<string, string>>({});
  const [secrets, setSecrets] = useState<Record<string, string>>({});
  const make = api.useMutation("post", "/api/v1/connections", {
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["get", "/api/v1/connections"] });
      close();
    },
  });
  const connector = connectors.data?.items.find(({ id }) => id === chosen);
  const [configFields, secretFields] = [fieldsOf(connector?.config), fieldsOf(connector?.secrets)];
  const submit = () => {
    if (connector !== undefined) {
      const body = { connector: connector.id, name, config: valuesOf(configFields, config) as never, secrets: valuesOf(secretFields, secrets) as never };
      make.mutate({ body });
    }
  };
  return (
    <DeedDialog
      title={t("connections.add")}
      text={connector?.description ?? t("connections.newText")}
      submit={t("connections.save")}
      pending={make.isPending}
      error={make.error}
      disabled={connector === undefined || name === ""}
      close={close}
      onSubmit={submit}
    >
      <Select
        label={t("connections.connector")}
        data={connectors.data?.items.map(({ id, title }) => ({ value: id, label: title })) ?? []}
        value={chosen}
        onChange={setChosen}
        comboboxProps={{ withinPortal: false }}
        searchable
        required
        data-autofocus
      />
      <TextInput label={t("column.name")} description={t("connections.nameHint")} value={name} onChange={(event) => setName(event.currentTarget.value)} required autoComplete="off" />
      {configFields.map((field) => (
        <OneField key={field.name} field={field} values={config} change={setConfig} />
      ))}
      {secretFields.length > 0 && (
        <Fieldset legend={t("connections.secrets")}>
          {secretFields.map((field) => (
            <OneField key={field.name} field={field} values={secrets} change={setSecrets} secret />
          ))}
        </Fieldset>
      )}
    </DeedDialog>
  );
}

function OneField(props: { field: Field; values: Record<string, string>; change: (next: Record<string, string>) => void; secret?: boolean }) {
  const { field, values, change } = props;
  const value = values[field.name] ?? "";
  const say = (next: string) => change({ ...values, [field.name]: next });
  if (field.kind === "truth") {
    return <Checkbox label={field.title} description={field.description} checked={value === "true"} onChange={(event) => say(String(event.currentTarget.checked))} />;
  }
  const Input = props.secret === true ? PasswordInput : TextInput;
  return (
    <Input
      label={field.title}
      description={field.description}
      required={field.required}
      value={value}
      onChange={(event) => say(event.currentTarget.value)}
      autoComplete="off"
      dir="ltr"
    />
  );
}
