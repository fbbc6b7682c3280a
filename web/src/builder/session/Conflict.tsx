// Two people changed the same lines of one draft: what the other wrote is shown, and nothing of either is lost.
import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Difference } from "../versions/Difference";
import type { Conflict } from "./draft";
import { PLAIN_HEADER } from "../words/plainHeader";

export function ConflictDialog({ conflict, ours, onResolve }: { conflict: Conflict; ours: string; onResolve: (source: string) => void }) {
  const { t } = useTranslation("builder");
  return (
    <Modal opened withCloseButton={false} closeOnClickOutside={false} closeOnEscape={false} onClose={() => undefined} title={t("conflict.title")} size="xl" attributes={PLAIN_HEADER}>
      <Stack>
        <Text size="sm">{conflict.by === null ? t("conflict.text") : t("conflict.textBy", { who: conflict.by })}</Text>
        <Difference before={conflict.theirs} after={ours} />
        <Group justify="end">
          <Button variant="default" onClick={() => onResolve(conflict.theirs)}>{t("conflict.theirs")}</Button>
          <Button onClick={() => onResolve(ours)}>{t("conflict.ours")}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
