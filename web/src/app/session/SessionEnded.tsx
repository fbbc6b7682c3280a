// The session has ended while something was on the screen: one signs in again on top of it, and what was typed is still there.

import { Modal, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { SignInForm } from "./SignInForm";
import { useSessionEnded, useSessionQuery } from "./session";

export function SessionEnded() {
  const { t } = useTranslation("shell");
  const ended = useSessionEnded();
  const { data } = useSessionQuery();
  return (
    <Modal opened={ended} onClose={() => undefined} title={t("sessionEnded.title")} withCloseButton={false} closeOnEscape={false} centered>
      <Text size="sm" mb="md">
        {t("sessionEnded.text")}
      </Text>
      <SignInForm email={data?.user?.email ?? ""} />
    </Modal>
  );
}
