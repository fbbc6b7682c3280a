import { Modal, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { SignInForm } from "./SignInForm";

export function SessionEndedDialog({ email }: { email: string }) {
  const { t } = useTranslation("shell");
  return (
    <Modal opened onClose={() => undefined} title={t("sessionEnded.title")} withCloseButton={false} closeOnEscape={false} centered>
      <Text size="sm" mb="md">
        {t("sessionEnded.text")}
      </Text>
      <SignInForm email={email} />
    </Modal>
  );
}
