// Conditions as rows: variable, comparison, value; all or any of them; groups inside groups.
import { ActionIcon, Autocomplete, Button, Group as Row, SegmentedControl, Select, Stack, TextInput } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { useForm } from "../form/FormContext";
import styles from "../form/form.module.css";
import { flat } from "../scope/scope";
import { OPERATORS, textOf, valueOf, type Comparison, type Group, type Operator, type Rule } from "./rules";

export function RuleEditor({ group, onChange, onRemove }: { group: Group; onChange: (group: Group) => void; onRemove?: () => void }) {
  const { t } = useTranslation("builder");
  const put = (index: number, rule: Rule | null): void => {
    const rules = group.rules.flatMap((old, place) => (place === index ? (rule ? [rule] : []) : [old]));
    if (rules.length === 0 && onRemove) onRemove();
    else if (rules.length > 0) onChange({ ...group, rules });
  };
  const add = (rule: Rule): void => onChange({ ...group, rules: [...group.rules, rule] });
  const empty: Comparison = { kind: "comparison", variable: "contact.score", operator: ">=", value: 0 };
  return (
    <Stack gap="xs" className={onRemove ? styles.nested : ""} role="group" aria-label={t("rules.title")}>
      {group.rules.length > 1 && (
        <SegmentedControl size="xs" aria-label={t("rules.join")} value={group.join} onChange={(join) => onChange({ ...group, join: join as Group["join"] })} data={[{ value: "and", label: t("rules.all") }, { value: "or", label: t("rules.any") }]} />
      )}
      {group.rules.map((rule, index) =>
        rule.kind === "group" ? (
          <RuleEditor key={index} group={rule} onChange={(next) => put(index, next)} onRemove={() => put(index, null)} />
        ) : (
          <RuleRow key={index} rule={rule} onChange={(next) => put(index, next)} onRemove={() => put(index, null)} />
        ),
      )}
      <Row gap="xs">
        <Button size="compact-xs" variant="light" leftSection={<IconPlus size={13} />} onClick={() => add(empty)}>{t("rules.add")}</Button>
        <Button size="compact-xs" variant="subtle" onClick={() => add({ kind: "group", join: group.join === "and" ? "or" : "and", rules: [empty] })}>{t("rules.addGroup")}</Button>
      </Row>
    </Stack>
  );
}

function RuleRow({ rule, onChange, onRemove }: { rule: Comparison; onChange: (rule: Comparison) => void; onRemove: () => void }) {
  const { t } = useTranslation("builder");
  const { variables } = useForm();
  const names = flat(variables).filter((one) => one.children.length === 0).map((one) => one.path);
  const needsValue = rule.operator !== "missing" && rule.operator !== "present";
  return (
    <Row gap={6} wrap="nowrap" align="center">
      <Autocomplete size="xs" style={{ flex: 2 }} aria-label={t("rules.variable")} value={rule.variable} data={[...new Set(names)]} limit={30} onChange={(variable) => onChange({ ...rule, variable })} classNames={{ input: styles.code ?? "" }} />
      <Select size="xs" style={{ flex: 1.4 }} aria-label={t("rules.operator")} value={rule.operator} allowDeselect={false} data={OPERATORS.map((operator) => ({ value: operator, label: t(`rules.operators.${NAMES[operator]}`) }))} onChange={(operator) => onChange({ ...rule, operator: (operator ?? "==") as Operator })} />
      {needsValue && <TextInput size="xs" style={{ flex: 1.2 }} aria-label={t("rules.value")} value={textOf(rule.value)} onChange={(event) => onChange({ ...rule, value: valueOf(event.currentTarget.value) })} />}
      <ActionIcon size="sm" variant="subtle" color="gray" aria-label={t("rules.remove")} onClick={onRemove}><IconTrash size={14} /></ActionIcon>
    </Row>
  );
}

const NAMES = { "==": "is", "!=": "isNot", ">": "above", ">=": "atLeast", "<": "below", "<=": "atMost", in: "in", missing: "missing", present: "present" } as const;
