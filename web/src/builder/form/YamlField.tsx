// A value that no other field fits: written as YAML, taken in when it can be read.
import { Textarea } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { parse, stringify } from "yaml";
import { pointerOf, type Path } from "../document/read";
import { same } from "../document/edit";
import { useForm } from "./FormContext";
import styles from "./form.module.css";

export function YamlField({ label, value, path, description, hideLabel = false }: { label: string; value: unknown; path: Path; description?: string; hideLabel?: boolean }) {
  const { t } = useTranslation("builder");
  const { set, done, readOnly } = useForm();
  const [text, setText] = useState(() => print(value));
  const [wrong, setWrong] = useState(false);
  const written = useRef(value);
  useEffect(() => {
    if (same(value, written.current)) return;
    written.current = value;
    setText(print(value));
  }, [value]);
  const write = (next: string): void => {
    setText(next);
    try {
      const read: unknown = parse(next);
      written.current = read;
      setWrong(false);
      set(path, read, `field:${pointerOf(path)}`);
    } catch {
      setWrong(true);
    }
  };
  return <Textarea label={hideLabel ? undefined : label} aria-label={label} description={description} value={text} autosize minRows={1} maxRows={12} readOnly={readOnly} error={wrong ? t("form.notYaml") : undefined} classNames={{ input: styles.code ?? "" }} dir="ltr" spellCheck={false} onChange={(event) => write(event.currentTarget.value)} onBlur={done} />;
}

function print(value: unknown): string {
  return value === undefined ? "" : stringify(value, { lineWidth: 0 }).trimEnd();
}
