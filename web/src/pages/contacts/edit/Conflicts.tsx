import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { ContactForm, FormPart } from "./form";
import type { Edit } from "./store";

/** What somebody else changed as well: theirs is shown beside a button that takes it; saving again keeps what is typed. */
export function Conflicts({ edit, take }: { edit: Edit; take: (part: FormPart) => void }) {
  const { t } = useTranslation("contacts");
  if (edit.conflicts.length === 0) {
    return null;
  }
  const names: Record<FormPart, string> = {
    name: t("field.name"),
    first_name: t("edit.firstName"),
    last_name: t("edit.lastName"),
    phones: t("edit.phones"),
    emails: t("edit.emails"),
    company: t("company"),
    language: t("language"),
    timezone: t("timezone"),
    score: t("edit.score"),
    fields: t("edit.fields"),
  };
  return (
    <Alert color="yellow" role="alert" title={t("edit.conflict")}>
      <Stack gap="xs">
        <Text size="sm">{t("edit.conflictText")}</Text>
        {edit.conflicts.map((part) => (
          <Group key={part} gap="xs" justify="space-between">
            <Text size="sm">
              {names[part]}: <bdi style={{ fontWeight: 560 }}>{shown(edit.base[part]) || t("none")}</bdi>
            </Text>
            <Button size="compact-sm" variant="default" aria-label={t("edit.takeTheirsNamed", { name: names[part] })} onClick={() => take(part)}>
              {t("edit.takeTheirs")}
            </Button>
          </Group>
        ))}
      </Stack>
    </Alert>
  );
}

function shown(value: ContactForm[FormPart]): string {
  return typeof value === "string" ? value : value.map((one) => (typeof one === "string" ? one : `${one.name}: ${one.value}`)).join(", ");
}
