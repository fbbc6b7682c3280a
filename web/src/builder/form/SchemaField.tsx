// A field for any value, made from its JSON Schema. What the language knows by name (conditions, matches, durations) has fields of its own.
import { Button, Group, NumberInput, Select, Stack, Switch } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { isMap, pointerOf, type Path } from "../document/read";
import { ConditionField } from "./ConditionField";
import { problemAt, useForm } from "./FormContext";
import styles from "./form.module.css";
import { MapField } from "./MapField";
import { definitionOf, emptyOf, HOLDS_STEPS, propertiesOf, resolved, typeOf, typesOf, variantFor, variantName, variantsOf, type Property, type Schema } from "./schema";
import { TextField } from "./TextField";
import { YamlField } from "./YamlField";

export interface FieldProps {
  schema: Schema;
  value: unknown;
  path: Path;
  label: string;
  required?: boolean;
  /** The label stands above already. */
  labelled?: boolean;
}

export function SchemaField({ schema: given, value, path, label, required = false }: FieldProps) {
  const name = definitionOf(given);
  const schema = resolved(given);
  if (name === "condition") return <ConditionField label={label} value={value} path={path} description={about(schema)} required={required} />;
  if (name === "steps") return null;
  if (name === "variables" || name === "input") return <MapField label={label} value={value} path={path} schema={schema} />;
  if (name === "duration" || name === "fixed_duration") return <TextOf schema={schema} value={value} path={path} label={label} required={required} placeholder="2h 30m" />;
  const variants = variantsOf(schema).filter((one) => one.not === undefined);
  if (variants.length > 1) return <OneOf variants={variants} schema={schema} value={value} path={path} label={label} required={required} />;
  return <Plain schema={variants[0] ?? schema} value={value} path={path} label={label} required={required} />;
}

export function about(schema: Schema): string | undefined {
  return typeof schema.description === "string" ? schema.description : undefined;
}

function Plain({ schema, value, path, label, required = false, labelled = false }: FieldProps) {
  const { t } = useTranslation("builder");
  const { set, readOnly, problems } = useForm();
  const error = problemAt(problems, pointerOf(path));
  const types = typesOf(schema);
  const common = { label, description: about(schema), error, withAsterisk: required, disabled: readOnly };
  if (schema.const !== undefined) {
    return <Switch label={label} description={about(schema)} checked={value === schema.const} disabled={readOnly} onChange={(event) => set(path, event.currentTarget.checked ? schema.const : undefined)} />;
  }
  if (Array.isArray(schema.enum) && (value === undefined || value === null || schema.enum.includes(value))) {
    const data = schema.enum.filter((item) => item !== null).map(String);
    return <Select {...common} data={data} value={value === undefined || value === null ? null : String(value)} clearable={!required} placeholder={schema.default === undefined ? "" : String(schema.default)} onChange={(next) => set(path, next === null ? undefined : next)} comboboxProps={{ withinPortal: true }} />;
  }
  if (types.includes("boolean") && !types.includes("string") && (value === undefined || typeof value === "boolean")) {
    return <Switch label={label} description={about(schema)} checked={value === true || (value === undefined && schema.default === true)} disabled={readOnly} onChange={(event) => set(path, event.currentTarget.checked)} />;
  }
  if (types.includes("number") && !types.includes("string") && (value === undefined || typeof value === "number")) {
    return <NumberInput {...common} value={typeof value === "number" ? value : ""} placeholder={schema.default === undefined ? "" : String(schema.default)} onChange={(next) => set(path, next === "" ? undefined : Number(next), `field:${pointerOf(path)}`)} />;
  }
  if (Array.isArray(value) || (value === undefined && types.includes("array") && !types.includes("string"))) return <ListField schema={schema} value={value} path={path} label={label} required={required} />;
  if (isMap(schema.properties) && (value === undefined || isMap(value))) {
    return (
      <fieldset className={styles.nested}>
        <legend className={labelled ? styles.heard : styles.legend}>{label}</legend>
        <Properties schema={schema} value={value} path={path} />
      </fieldset>
    );
  }
  if (types.includes("object") && !types.includes("string") && (value === undefined || value === null || isMap(value))) return <MapField label={label} labelled={labelled} value={value} path={path} schema={schema} />;
  if (isMap(value) && !isMap(schema.properties)) return <MapField label={label} value={value} path={path} schema={schema} />;
  if (value === undefined || value === null || typeof value !== "object") return <TextOf schema={schema} value={value} path={path} label={label} required={required} />;
  return <YamlField label={label} value={value} path={path} description={about(schema) ?? t("form.asYaml")} />;
}

function TextOf({ schema, value, path, label, required = false, placeholder }: FieldProps & { placeholder?: string }) {
  const { set, done, problems, eventTypes } = useForm();
  const key = String(path.at(-1));
  const isEvent = key === "event" || key === "emit";
  const isScript = key === "script";
  const types = typesOf(schema);
  const write = (text: string): void => {
    const number = !types.includes("string") || types.includes("number") ? /^-?\d+(\.\d+)?$/.test(text) : false;
    set(path, text === "" && !required ? undefined : number && typeof value !== "string" ? Number(text) : text, `field:${pointerOf(path)}`);
  };
  return (
    <TextField
      label={label}
      value={value === undefined || value === null ? "" : String(value)}
      description={about(schema)}
      error={problemAt(problems, pointerOf(path))}
      required={required}
      placeholder={placeholder ?? (schema.default === undefined ? undefined : String(schema.default))}
      code={isScript}
      plain={isEvent || isScript || key === "id" || key === "cron"}
      choices={isEvent ? eventTypes : Array.isArray(schema.enum) ? schema.enum.map(String) : []}
      onChange={write}
      onDone={done}
    />
  );
}

function OneOf({ variants, schema, value, path, label, required }: FieldProps & { variants: Schema[] }) {
  const { t } = useTranslation("builder");
  const { set, readOnly } = useForm();
  const now = variantFor(variants, value);
  const chosen = variants[now] ?? schema;
  // Forms that differ only in how a text looks are one field.
  const kinds = [...new Set(variants.map((one) => (isMap(one.properties) ? variantName(one) : typesOf(one).includes("object") ? "object" : "text")))];
  if (kinds.length === 1 && kinds[0] === "text") {
    const choices = variants.flatMap((one) => (Array.isArray(one.enum) ? one.enum : one.const === undefined ? [] : [one.const]));
    return <Plain schema={{ ...schema, type: ["string", ...variants.flatMap(typesOf)], ...(variants.every((one) => one.enum || one.const) && { enum: choices }) }} value={value} path={path} label={label} required={required ?? false} />;
  }
  const names = variants.map((one, index) => ({ value: String(index), label: t(`form.variant.${variantName(one)}` as never, { defaultValue: variantName(one) }) as string }));
  return (
    <Stack gap={6}>
      <Group justify="space-between" gap="xs" wrap="nowrap" align="end">
        <span className={styles.legend}>{label}</span>
        <Select size="xs" w={170} aria-label={t("form.kindOf", { field: label })} data={names} value={String(now)} allowDeselect={false} disabled={readOnly} onChange={(next) => { const variant = variants[Number(next)]; if (variant && Number(next) !== now) set(path, emptyOf(variant)); }} />
      </Group>
      <Plain schema={chosen} value={value} path={path} label={label} required={required ?? false} labelled />
    </Stack>
  );
}

/** The properties of a map: what is there and what must be, the rest to be added. */
export function Properties({ schema, value, path, order = NO_ORDER, first = 0, leave = NO_ORDER }: { schema: Schema; value: unknown; path: Path; order?: readonly string[]; first?: number; leave?: readonly string[] }) {
  const { t } = useTranslation("builder");
  const { set, readOnly } = useForm();
  const map = isMap(value) ? value : {};
  const all = propertiesOf(resolved(schema), order).filter(({ key, schema: one }) => !leave.includes(key) && !(HOLDS_STEPS.has(key) && (definitionOf(one) === "steps" || key === "catch")));
  // What the file has comes first; the order is of the first look, so that nothing jumps while somebody writes.
  const [present] = useState(() => new Set(Object.keys(map)));
  const sorted = all.toSorted((one, other) => Number(other.required) - Number(one.required) || Number(present.has(other.key)) - Number(present.has(one.key)));
  const lasting = sorted.filter(({ key, required }) => required || present.has(key)).length;
  const shown = sorted.filter(({ key, required }, index) => required || key in map || index < (first === 0 ? 0 : Math.max(first, Math.min(lasting + 2, first + 2))));
  const rest = sorted.filter((one) => !shown.includes(one));
  const strange = Object.keys(map).filter((key) => !leave.includes(key) && !HOLDS_STEPS.has(key) && !all.some((one) => one.key === key));
  return (
    <Stack gap="sm">
      {shown.map(({ key, schema: one, required }: Property) => (
        <SchemaField key={key} schema={one} value={map[key]} path={[...path, key]} label={labelOf(key, one)} required={required} />
      ))}
      {strange.map((key) => <YamlField key={key} label={key} value={map[key]} path={[...path, key]} />)}
      {rest.length > 0 && !readOnly && (
        <Select size="xs" searchable clearable leftSection={<IconPlus size={14} />} placeholder={t("form.addField")} aria-label={t("form.addField")} value={null} data={rest.map((one) => ({ value: one.key, label: labelOf(one.key, one.schema) }))} onChange={(key) => { const one = rest.find((item) => item.key === key); if (one) set([...path, one.key], emptyOf(withFirst(resolved(one.schema)))); }} />
      )}
    </Stack>
  );
}

const NO_ORDER: readonly string[] = [];

function withFirst(schema: Schema): Schema {
  return variantsOf(schema)[0] ?? schema;
}

function labelOf(key: string, schema: Schema): string {
  if (typeof schema.title === "string") return schema.title;
  const words = key.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function ListField({ schema, value, path, label }: FieldProps) {
  const { t } = useTranslation("builder");
  const { set, readOnly } = useForm();
  const items = Array.isArray(value) ? value : [];
  const item = isMap(schema.items) ? schema.items : { type: "string" };
  return (
    <fieldset className={styles.nested}>
      <legend className={styles.legend}>{label}</legend>
      <Stack gap="xs">
        {items.map((one: unknown, index) => (
          <Group key={index} gap={4} wrap="nowrap" align="start">
            <div style={{ flex: 1, minWidth: 0 }}>
              <SchemaField schema={typeOf(one) === "object" || Object.keys(item).length > 0 ? item : { type: "string" }} value={one} path={[...path, index]} label={t("form.item", { number: index + 1 })} required />
            </div>
            {!readOnly && <Button size="compact-xs" variant="subtle" color="gray" aria-label={t("form.removeItem", { number: index + 1 })} onClick={() => set([...path, index], undefined)}><IconTrash size={14} /></Button>}
          </Group>
        ))}
        {!readOnly && <Button size="compact-sm" variant="light" leftSection={<IconPlus size={14} />} onClick={() => set([...path, items.length], emptyOf(withFirst(resolved(item))))}>{t("form.addItem")}</Button>}
      </Stack>
    </fieldset>
  );
}
