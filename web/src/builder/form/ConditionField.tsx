// A condition: an expression with completion, or a rule in rows. Either is kept as the file has it.
import { SegmentedControl, Stack } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { isMap, pointerOf, type Path } from "../document/read";
import { RuleEditor } from "../rules/RuleEditor";
import { logicOf, rowsOf } from "../rules/rules";
import { problemAt, useForm } from "./FormContext";
import { TextField } from "./TextField";
import { YamlField } from "./YamlField";

const FIRST_RULE = { ">=": [{ var: "contact.score" }, 50] };

export function ConditionField({ label, value, path, description, required }: { label: string; value: unknown; path: Path; description?: string | undefined; required?: boolean }) {
  const { t } = useTranslation("builder");
  const { set, done, problems, readOnly } = useForm();
  const isRule = isMap(value);
  const rows = isRule ? rowsOf(value) : null;
  const error = problemAt(problems, pointerOf(path));
  return (
    <Stack gap={6}>
      {!readOnly && (
        <SegmentedControl
          size="xs"
          aria-label={t("form.kindOf", { field: label })}
          value={isRule ? "rule" : "expression"}
          onChange={(kind) => set(path, kind === "rule" ? FIRST_RULE : true)}
          data={[{ value: "expression", label: t("form.expression") }, { value: "rule", label: t("form.rule") }]}
        />
      )}
      {!isRule && <TextField label={label} description={description} error={error} required={required ?? false} bare value={value === undefined || value === null ? "" : String(value)} onChange={(text) => set(path, text === "" && !required ? undefined : text, `field:${pointerOf(path)}`)} onDone={done} />}
      {rows && <RuleEditor group={rows} onChange={(group) => set(path, logicOf(group), `rule:${pointerOf(path)}`)} />}
      {isRule && !rows && <YamlField label={label} value={value} path={path} description={t("rules.asYaml")} />}
    </Stack>
  );
}
