// The branches of a step: their names, conditions and weights; to be added and taken away.
import { ActionIcon, Button, Group, NumberInput, Stack, TagsInput, TextInput } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { isMap, valueAt, type Path } from "../document/read";
import { ConditionField } from "../form/ConditionField";
import { useForm } from "../form/FormContext";
import styles from "../form/form.module.css";
import type { Branch, Step } from "../graph/tree";

const CODES = ["timeout", "rate_limited", "unavailable", "unauthorized", "forbidden", "not_found", "conflict", "invalid_input", "policy_denied", "declined", "outcome_unknown", "cancelled", "internal"];

export function BranchFields({ step }: { step: Step }) {
  const { t } = useTranslation("builder");
  const { set, readOnly } = useForm();
  if (step.verb !== "choose" && step.verb !== "split" && step.verb !== "parallel" && step.verb !== "try") return null;
  const add = (): void => addBranch(step, set);
  return (
    <fieldset className={styles.nested}>
      <legend className={styles.legend}>{t("branches.title")}</legend>
      <Stack gap="sm">
        {step.branches.map((branch) => <BranchField key={branch.name} step={step} branch={branch} />)}
        {!readOnly && (
          <Group gap="xs">
            <Button size="compact-sm" variant="light" leftSection={<IconPlus size={14} />} onClick={add}>{t(`branches.add.${step.verb}`)}</Button>
            {step.verb === "try" && !("finally" in step.value) && <Button size="compact-sm" variant="subtle" onClick={() => set([...step.path, "finally"], [])}>{t("branches.addFinally")}</Button>}
          </Group>
        )}
      </Stack>
    </fieldset>
  );
}

function addBranch(step: Step, set: (path: Path, value: unknown) => void): void {
  const names = new Set(step.branches.map((branch) => branch.name));
  const letter = [..."abcdefghijklmnopqrstuvwxyz"].find((one) => !names.has(one)) ?? `branch_${names.size + 1}`;
  if (step.verb === "choose") {
    const clauses = Array.isArray(step.value.choose) ? step.value.choose : [];
    const last: unknown = clauses.at(-1);
    const before = isMap(last) && "else" in last ? clauses.length - 1 : clauses.length;
    set([...step.path, "choose"], [...clauses.slice(0, before), { if: true, steps: [] }, ...clauses.slice(before)]);
  } else if (step.verb === "split") set([...step.path, "split", "variants", letter], 50);
  else if (step.verb === "parallel") set([...step.path, "parallel", `branch_${letter}`], []);
  else set([...step.path, "catch", Array.isArray(step.value.catch) ? step.value.catch.length : 0], { steps: [] });
}

function BranchField({ step, branch }: { step: Step; branch: Branch }) {
  const { t } = useTranslation("builder");
  const { set, readOnly } = useForm();
  const owner = branch.list.slice(0, -1);
  const { label } = branch;
  if (label.kind === "choice") {
    return (
      <Group gap={4} wrap="nowrap" align="start">
        <div style={{ flex: 1, minWidth: 0 }}><ConditionField label={t("branch.choice", { number: label.number })} value={valueAt(step.value, [...owner.slice(step.path.length), "if"])} path={[...owner, "if"]} required /></div>
        {!readOnly && <Remove name={branch.name} onClick={() => set(owner, undefined)} />}
      </Group>
    );
  }
  if (label.kind === "variant") {
    const weight = branch.exists ? [...owner, "weight"] : owner;
    return (
      <Group gap={6} wrap="nowrap" align="end">
        <NameField name={branch.name} path={owner} />
        <NumberInput w={100} label={t("branches.weight")} min={0} value={label.weight} readOnly={readOnly} onChange={(next) => set(weight, Number(next), `weight:${branch.name}`)} />
        {!readOnly && <Remove name={branch.name} onClick={() => set(owner, undefined)} />}
      </Group>
    );
  }
  if (label.kind === "parallel") {
    return (
      <Group gap={6} wrap="nowrap" align="end">
        <NameField name={branch.name} path={branch.list} />
        {!readOnly && <Remove name={branch.name} onClick={() => set(branch.list, undefined)} />}
      </Group>
    );
  }
  if (label.kind === "catch") {
    return (
      <Group gap={6} wrap="nowrap" align="end">
        <TagsInput style={{ flex: 1 }} label={t("branches.codes")} description={t("branches.codesAbout")} data={CODES} value={[...label.codes]} readOnly={readOnly} onChange={(codes) => set([...owner, "on"], codes.length === 0 ? undefined : codes)} />
        {!readOnly && <Remove name={branch.name} onClick={() => set(owner, undefined)} />}
      </Group>
    );
  }
  return null;
}

function Remove({ name, onClick }: { name: string; onClick: () => void }) {
  const { t } = useTranslation("builder");
  return <ActionIcon mb={6} variant="subtle" color="gray" aria-label={t("form.removeNamed", { name })} onClick={onClick}><IconTrash size={15} /></ActionIcon>;
}

function NameField({ name, path }: { name: string; path: Path }) {
  const { t } = useTranslation("builder");
  const { rename, readOnly } = useForm();
  const [text, setText] = useState(name);
  return <TextInput style={{ flex: 1 }} label={t("form.name")} value={text} readOnly={readOnly} onChange={(event) => setText(event.currentTarget.value)} onBlur={() => { if (text !== "" && text !== name) rename(path, text); }} />;
}
