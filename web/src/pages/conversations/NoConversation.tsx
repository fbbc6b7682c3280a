import { IconMessageCircle } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { EmptyState } from "../../parts/EmptyState";
import { SandboxLink } from "../../parts/SandboxLink";

/** None is open: what one can do. */
export function NoConversation() {
  const { t } = useTranslation("conversations");
  return (
    <EmptyState icon={IconMessageCircle} title={t("choose.title")} action={<SandboxLink variant="light" />}>
      {t("choose.text")}
    </EmptyState>
  );
}
