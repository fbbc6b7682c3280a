import { Select } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** What somebody, or a program, may do. */
export function RoleField({ value, onChange }: { value: string; onChange: (role: string) => void }) {
  const { t } = useTranslation("settings");
  return (
    <Select
      label={t("users.role")}
      data={[
        { value: "agent", label: t("role.agent") },
        { value: "admin", label: t("role.admin") },
      ]}
      value={value}
      onChange={(next) => onChange(next ?? "agent")}
      allowDeselect={false}
    />
  );
}
