import { ActionIcon, Button, Group, Input, Stack, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";

/** Several short texts, each in a field of its own, in an order that counts. */
export function Lines(props: {
  label: string;
  /** Names one line, for who hears it: "Phone 2". */
  labelOf: (number: number) => string;
  add: string;
  type: "tel" | "email";
  lines: readonly string[];
  errorAt: (index: number) => string | null;
  onChange: (lines: string[]) => void;
}) {
  const { t } = useTranslation("shell");
  const { label, labelOf, add, type, lines, errorAt, onChange } = props;
  const shown = lines.length === 0 ? [""] : lines;
  return (
    <Input.Wrapper component="fieldset" label={label} labelElement="div" style={{ border: 0, padding: 0, margin: 0, minInlineSize: 0 }}>
      <Stack gap={6}>
        {shown.map((line, index) => (
          <Group key={index} gap={6} wrap="nowrap" align="flex-start">
            <TextInput
              aria-label={labelOf(index + 1)}
              type={type}
              dir="ltr"
              autoComplete="off"
              flex={1}
              value={line}
              error={errorAt(index)}
              onChange={(event) => onChange(shown.with(index, event.currentTarget.value))}
            />
            {(shown.length > 1 || line !== "") && (
              <ActionIcon variant="subtle" color="gray" size={36} aria-label={t("remove", { name: labelOf(index + 1) })} onClick={() => onChange(shown.toSpliced(index, 1))}>
                <IconX size={16} aria-hidden />
              </ActionIcon>
            )}
          </Group>
        ))}
        <Group>
          <Button variant="subtle" size="compact-sm" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => onChange([...shown, ""])}>
            {add}
          </Button>
        </Group>
      </Stack>
    </Input.Wrapper>
  );
}
