import { Button } from "@mantine/core";
import { IconCloudOff } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { EmptyState } from "./EmptyState";
import { explain } from "./problem";

/** Something could not be read: why, and another try. */
export function LoadFailed({ error, retry }: { error: unknown; retry: () => unknown }) {
  const { t } = useTranslation("shell");
  return (
    <div role="alert">
      <EmptyState
        icon={IconCloudOff}
        title={t("unreadable")}
        action={
          <Button variant="light" onClick={() => void retry()}>
            {t("retry")}
          </Button>
        }
      >
        {explain(error)}
      </EmptyState>
    </div>
  );
}
