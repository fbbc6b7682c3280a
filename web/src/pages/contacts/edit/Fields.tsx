import { ActionIcon, Button, Group, Input, Stack, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { Field } from "./form";

/** The organisation's own fields: a name and a value each. */
export function Fields({ fields, error, onChange }: { fields: readonly Field[]; error: string | null; onChange: (fields: Field[]) => void }) {
  const { t } = useTranslation(["contacts", "shell"]);
  const change = (index: number, field: Partial<Field>) => onChange(fields.map((one, at) => (at === index ? { ...one, ...field } : one)));
  return (
    <Input.Wrapper component="fieldset" label={t("contacts:edit.fields")} description={t("contacts:edit.fieldsHint")} error={error} labelElement="div" style={{ border: 0, padding: 0, margin: 0, minInlineSize: 0 }}>
      <Stack gap={6} mt={6}>
        {fields.map((field, index) => (
          <Group key={index} gap={6} wrap="nowrap">
            <TextInput aria-label={t("contacts:edit.fieldName", { number: index + 1 })} placeholder={t("contacts:column.name")} value={field.name} onChange={(event) => change(index, { name: event.currentTarget.value })} flex={2} />
            <TextInput aria-label={t("contacts:edit.fieldValue", { name: field.name })} placeholder={t("contacts:edit.value")} value={field.value} onChange={(event) => change(index, { value: event.currentTarget.value })} flex={3} dir="auto" />
            <ActionIcon variant="subtle" color="gray" size={36} aria-label={t("shell:remove", { name: field.name })} onClick={() => onChange(fields.toSpliced(index, 1))}>
              <IconX size={16} aria-hidden />
            </ActionIcon>
          </Group>
        ))}
        <Group>
          <Button variant="subtle" size="compact-sm" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => onChange([...fields, { name: "", value: "" }])}>
            {t("contacts:edit.addField")}
          </Button>
        </Group>
      </Stack>
    </Input.Wrapper>
  );
}
