import { MantineThemeProvider } from "@mantine/core";
import "@mantine/notifications/styles.css";
import { Notifications } from "@mantine/notifications";
import { useTranslation } from "react-i18next";

/** The button that closes a word has a name. */
export function NoticeList() {
  const { t } = useTranslation("shell");
  return (
    <MantineThemeProvider theme={{ components: { Notification: { defaultProps: { closeButtonProps: { "aria-label": t("close") } } } } }}>
      <Notifications position="bottom-right" />
    </MantineThemeProvider>
  );
}
