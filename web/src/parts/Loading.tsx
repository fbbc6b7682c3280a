import { Center, Loader } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** Something is on its way; says so to screen readers too. */
export function Loading() {
  const { t } = useTranslation("shell");
  return (
    <Center mih="40vh" role="status" aria-label={t("loading")}>
      <Loader type="dots" />
    </Center>
  );
}
