import { Menu, UnstyledButton, useMantineColorScheme, VisuallyHidden } from "@mantine/core";
import { IconCheck, IconDeviceDesktop, IconLogout, IconMoon, IconSun } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { api, setCsrfToken } from "../../client/http";
import { LANGUAGES, OWN_NAMES } from "../../texts/languages";
import { PersonAvatar } from "../../parts/PersonAvatar";
import type { LiveState } from "../live/socket";
import { useSessionQuery } from "../session/session";
import { useLanguageChoice } from "./LanguageMenu";
import { LiveDot } from "./LiveDot";
import classes from "./UserMenu.module.css";

const SCHEMES = [
  { name: "light", icon: IconSun },
  { name: "dark", icon: IconMoon },
  { name: "auto", icon: IconDeviceDesktop },
] as const;

/** Who is signed in; their language, light or dark, and the way out. */
export function UserMenu({ live }: { live?: LiveState }) {
  const { t } = useTranslation("shell");
  const { data: session } = useSessionQuery();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { language, choose } = useLanguageChoice();
  const signOut = api.useMutation("post", "/api/v1/auth/sign-out", {
    onSettled: () => {
      setCsrfToken(null);
      // Nothing of one user's stays in memory for the next.
      location.assign("/");
    },
  });
  const name = session?.user?.name ?? session?.user?.email ?? "";
  return (
    <Menu position="top-start" width={240} withinPortal={false} withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <UnstyledButton className={classes.user}>
          <PersonAvatar name={name} size={32} />
          <span className={classes.names}>
            <bdi className={classes.name}>{name}</bdi>
            <bdi className={classes.organisation}>{session?.organisation.title}</bdi>
          </span>
          <VisuallyHidden>{t("user.menu")}</VisuallyHidden>
          {live !== undefined && <LiveDot state={live} />}
        </UnstyledButton>
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
