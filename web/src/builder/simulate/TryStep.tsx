// One step tried alone, with sample or recorded values, without any effect.
import { Alert, Button, Code, Group, JsonInput, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconFlask } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../client/http";
import { explain } from "../../parts/problem";
import { isMap } from "../document/read";
import { useForm } from "../form/FormContext";
import type { Step } from "../graph/tree";
import type { Variable } from "../scope/scope";
import { requestBody } from "../session/requestBody";

export function TryStep({ step, source }: { step: Step; source: string }) {
  const { t } = useTranslation("builder");
  const { workflow, variables, samples } = useForm();
  const [values, setValues] = useState(() => JSON.stringify(valuesOf(variables, samples.steps), null, 2));
  const trial = useMutation({
    mutationFn: async () => {
      const given = JSON.parse(values) as Record<string, unknown>;
      const { contact, company, deal, conversation, event, input, vars, steps, ...locals } = given;
      const { data, error } = await client.POST("/api/v1/workflows/{name}/test-step", {
        params: { path: { name: workflow } },
        body: requestBody({ source, step: step.key, event: map(event), input: input ?? {}, vars: map(vars), steps: map(steps), locals, scenario: { records: { contact, company, deal, conversation } } }),
      });
      if (error) throw error as unknown as Error;
      return data;
    },
  });
  const real = samples.event !== null;
  return (
    <Stack gap="md">
      <Text size="sm" c="dimmed">{real ? t("try.real") : t("try.sample")}</Text>
      <JsonInput label={t("try.values")} value={values} onChange={setValues} autosize minRows={6} maxRows={16} validationError={t("try.notJson")} formatOnBlur spellCheck={false} dir="ltr" styles={{ input: { fontFamily: "var(--onward-font-code)", fontSize: 12 } }} />
      <Group><Button leftSection={<IconFlask size={16} />} loading={trial.isPending} onClick={() => trial.mutate()}>{t("try.run")}</Button></Group>
      {trial.error && <Alert color="red" icon={<IconAlertTriangle />}>{explain(trial.error)}</Alert>}
      {trial.data && (
        <Stack gap="xs" aria-live="polite">
          {trial.data.skipped && <Text size="sm">{t("try.skipped")}</Text>}
          {trial.data.error && <Alert color="red" icon={<IconAlertTriangle />} title={String(map(trial.data.error).code ?? "")}>{String(map(trial.data.error).message ?? "")}</Alert>}
          {trial.data.branch !== null && trial.data.branch !== undefined && <Text size="sm">{t("try.branch", { branch: trial.data.branch })}</Text>}
          <Shown title={t("try.input")} value={trial.data.input} />
          <Shown title={t("try.output")} value={trial.data.output} />
          {Object.keys(map(trial.data.reads)).length > 0 && <Shown title={t("try.reads")} value={trial.data.reads} />}
        </Stack>
      )}
    </Stack>
  );
}

export function Shown({ title, value }: { title: string; value: unknown }) {
  if (value === null || value === undefined) return null;
  return (
    <div>
      <Text size="xs" fw={600} c="dimmed">{title}</Text>
      <Code block dir="ltr" mah={260} style={{ overflow: "auto" }} tabIndex={0}>{typeof value === "string" ? value : JSON.stringify(value, null, 2)}</Code>
    </div>
  );
}

const LEAVE = new Set(["org", "run", "now", "steps"]);

function valuesOf(variables: readonly Variable[], recorded: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const steps = variables.find((one) => one.name === "steps")?.children ?? [];
  return {
    ...Object.fromEntries(variables.filter((one) => !LEAVE.has(one.name)).map((one) => [one.name, one.sample])),
    ...(steps.length > 0 && { steps: Object.fromEntries(steps.map((one) => [one.name, recorded[one.name] ?? one.sample])) }),
  };
}

function map(value: unknown): Record<string, unknown> {
  return isMap(value) ? value : {};
}
