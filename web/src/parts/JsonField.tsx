import { JsonInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { readJson } from "./json";

/** A field for a value as JSON; says when it is none. */
export function JsonField({ label, description, value, onChange }: { label: string; description?: string; value: string; onChange: (value: string) => void }) {
  const { t } = useTranslation("shell");
  return (
    <JsonInput
      label={label}
      description={description}
      value={value}
      onChange={onChange}
      error={readJson(value).valid ? null : t("notJson")}
      autosize
      minRows={4}
      maxRows={16}
      dir="ltr"
      spellCheck={false}
      styles={{ input: { fontFamily: "var(--onward-font-code)", fontSize: "0.8125rem" } }}
    />
  );
}
