import { Menu, useMantineColorScheme } from "@mantine/core";
import { IconCheck, IconDeviceDesktop, IconLogout, IconMoon, IconSun } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { api, setCsrfToken } from "../../client/http";
import { LANGUAGES, OWN_NAMES } from "../../texts/languages";
import { useLanguageChoice } from "./language";
import { UserButton, type UserButtonProps } from "./UserButton";

const SCHEMES = [
  { name: "light", icon: IconSun },
  { name: "dark", icon: IconMoon },
  { name: "auto", icon: IconDeviceDesktop },
] as const;

/** The menu at one's name: the language, light or dark, and the way out. Opens when it is there. */
export function OpenUserMenu(props: UserButtonProps) {
  const { t } = useTranslation("shell");
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { language, choose } = useLanguageChoice();
  const signOut = api.useMutation("post", "/api/v1/auth/sign-out", {
    onSettled: () => {
      setCsrfToken(null);
      // Nothing of one user's stays in memory for the next.
      location.assign("/");
    },
  });
  return (
    <Menu defaultOpened position="top-start" width={240} withinPortal={false} withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <UserButton {...props} />
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label role="presentation">{t("language")}</Menu.Label>
        {LANGUAGES.map((one) => (
          <Menu.Item key={one} lang={one} onClick={() => choose(one)} rightSection={one === language ? <IconCheck size={16} aria-label={t("chosen")} /> : null}>
            {OWN_NAMES[one]}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Label role="presentation">{t("scheme.title")}</Menu.Label>
        {SCHEMES.map(({ name: scheme, icon: Sign }) => (
          <Menu.Item
            key={scheme}
            leftSection={<Sign size={16} aria-hidden />}
            onClick={() => setColorScheme(scheme)}
            rightSection={scheme === colorScheme ? <IconCheck size={16} aria-label={t("chosen")} /> : null}
          >
            {t(`scheme.${scheme}`)}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => signOut.mutate({})}>
          {t("user.signOut")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
