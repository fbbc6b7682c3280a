// A map of free names: rows of name and value.
import { ActionIcon, Button, Stack, TextInput } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { isMap, pointerOf, type Path } from "../document/read";
import { problemAt, useForm } from "./FormContext";
import styles from "./form.module.css";
import type { Schema } from "./schema";
import { TextField } from "./TextField";
import { YamlField } from "./YamlField";

export function MapField({ label, value, path, schema, labelled = false }: { label: string; value: unknown; path: Path; schema: Schema; labelled?: boolean }) {
  const { t } = useTranslation("builder");
  const { set, done, readOnly, problems } = useForm();
  if (typeof value === "string") {
    return <TextField label={label} value={value} error={problemAt(problems, pointerOf(path))} onChange={(text) => set(path, text === "" ? undefined : text, `field:${pointerOf(path)}`)} onDone={done} />;
  }
  const entries = Object.entries(isMap(value) ? value : {});
  const free = (): string => { for (let number = entries.length + 1; ; number += 1) if (!entries.some(([key]) => key === `value_${number}`)) return `value_${number}`; };
  return (
    <fieldset className={styles.nested}>
      <legend className={labelled ? styles.heard : styles.legend}>{label}</legend>
      <Stack gap={6}>
        {entries.map(([key, item], index) => (
          <div key={index} className={styles.row}>
            <div className={styles.rowName}>
            <NameInput name={key} path={[...path, key]} taken={entries.map(([other]) => other)} /></div>
            <div className={styles.rowValue}>
            {typeof item === "object" && item !== null ? (
              <YamlField label={key} hideLabel value={item} path={[...path, key]} />
            ) : (
              <TextField label={t("form.valueOf", { name: key })} value={item === null ? "" : String(item)} onChange={(text) => set([...path, key], typed(text, item), `field:${pointerOf([...path, key])}`)} onDone={done} />
            )}</div>
            {!readOnly && <ActionIcon mt={26} size="sm" variant="subtle" color="gray" aria-label={t("form.removeNamed", { name: key })} onClick={() => set([...path, key], undefined)}><IconTrash size={14} /></ActionIcon>}
          </div>
        ))}
        {!readOnly && <Button size="compact-sm" variant="light" leftSection={<IconPlus size={14} />} onClick={() => set([...path, free()], typeof schema.description === "string" ? "" : "")}>{t("form.addValue")}</Button>}
      </Stack>
    </fieldset>
  );
}

/** Numbers and truth stay what they were; a new text stays a text. */
function typed(text: string, before: unknown): unknown {
  if (typeof before === "number" && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (typeof before === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}

function NameInput({ name, path, taken }: { name: string; path: Path; taken: readonly string[] }) {
  const { t } = useTranslation("builder");
  const { rename, readOnly } = useForm();
  const [text, setText] = useState(name);
  const [before, setBefore] = useState(name);
  if (before !== name) {
    setBefore(name);
    setText(name);
  }
  const bad = text !== name && (text === "" || taken.includes(text));
  return <TextInput label={t("form.name")} value={text} readOnly={readOnly} error={bad} classNames={{ input: styles.code ?? "" }} onChange={(event) => setText(event.currentTarget.value)} onBlur={() => { if (!bad && text !== name) rename(path, text); else setText(name); }} />;
}
