// What this step sees, with values: a tree that is searched, and put in by a click or Enter.
import { Badge, Modal, ScrollArea, Text, TextInput } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useForm } from "../form/FormContext";
import styles from "../form/form.module.css";
import { flat, type Variable } from "../scope/scope";
import { sampleText, search } from "./complete";
import { PLAIN_HEADER } from "../words/plainHeader";

export function VariablePicker({ onPick, onClose }: { onPick: (path: string) => void; onClose: () => void }) {
  const { t } = useTranslation("builder");
  const { variables } = useForm();
  const [words, setWords] = useState("");
  const found = words.trim() === "" ? variables : search(flat(variables), words).slice(0, 80);
  return (
    <Modal opened onClose={onClose} title={t("form.variables")} size="md" closeButtonProps={{ "aria-label": t("close") }} attributes={PLAIN_HEADER}>
      <TextInput data-autofocus value={words} onChange={(event) => setWords(event.currentTarget.value)} placeholder={t("form.searchVariables")} aria-label={t("form.searchVariables")} leftSection={<IconSearch size={16} />} onKeyDown={(event) => { const [first] = found; if (event.key === "Enter" && first && words.trim() !== "") onPick(first.path); }} />
      <ScrollArea.Autosize mah={420} mt="sm">
        {found.length === 0 ? <Text size="sm" c="dimmed" p="sm">{t("palette.nothing")}</Text> : <Level variables={found} deep={words.trim() === ""} onPick={onPick} depth={0} />}
      </ScrollArea.Autosize>
    </Modal>
  );
}

function Level({ variables, deep, depth, onPick }: { variables: readonly Variable[]; deep: boolean; depth: number; onPick: (path: string) => void }) {
  const { t } = useTranslation("builder");
  return (
    <ul className={styles.tree}>
      {variables.map((one) => (
        <li key={one.path}>
          <button type="button" className={styles.variable} onClick={() => onPick(one.path)}>
            <span className={styles.name} dir="ltr">{deep ? one.name : one.path}</span>
            {one.about !== null && <Text span size="xs" c="dimmed" truncate>{one.about}</Text>}
            {one.real && depth === 0 && <Badge size="xs" variant="light">{t("form.ofRun")}</Badge>}
            <span className={styles.sample} dir="ltr">{one.children.length > 0 ? "" : sampleText(one.sample)}</span>
          </button>
          {deep && one.children.length > 0 && depth < 3 && <Level variables={one.children} deep depth={depth + 1} onPick={onPick} />}
        </li>
      ))}
    </ul>
  );
}
