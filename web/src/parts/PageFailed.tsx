import { Button, Code } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import type { ErrorComponentProps } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { EmptyState } from "./EmptyState";

/** A page broke: it can be tried again, and the rest of the app goes on. */
export function PageFailed({ error, reset }: ErrorComponentProps) {
  const { t } = useTranslation("shell");
  return (
    <EmptyState isPage icon={IconAlertTriangle} title={t("failed.title")} action={<Button onClick={reset}>{t("retry")}</Button>}>
      {t("failed.text")} <Code block>{error instanceof Error ? error.message : String(error)}</Code>
    </EmptyState>
  );
}
