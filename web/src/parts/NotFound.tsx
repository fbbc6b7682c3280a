import { IconMapOff } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { EmptyState } from "./EmptyState";
import { ButtonLink } from "./links";

export function NotFound() {
  const { t } = useTranslation("shell");
  return (
    <EmptyState isPage icon={IconMapOff} title={t("notFound.title")} action={<ButtonLink to="/">{t("notFound.action")}</ButtonLink>}>
      {t("notFound.text")}
    </EmptyState>
  );
}
