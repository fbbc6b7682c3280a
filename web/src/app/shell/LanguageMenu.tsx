import { Button, Menu, useDirection, VisuallyHidden } from "@mantine/core";
import { IconLanguage } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { directionOf, LANGUAGES, type Language, OWN_NAMES } from "../../texts/languages";
import { speak } from "../../texts/start";

/** Changes the language, and the direction with it. */
export function useLanguageChoice(): { language: string; choose: (language: Language) => void } {
  const { i18n } = useTranslation();
  const { setDirection } = useDirection();
  return {
    language: i18n.language,
    choose: (language) => {
      setDirection(directionOf(language));
      void speak(language);
    },
  };
}

export function LanguageMenu() {
  const { t } = useTranslation("shell");
  const { language, choose } = useLanguageChoice();
  return (
    <Menu position="top" withinPortal={false} withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <Button variant="subtle" color="gray" leftSection={<IconLanguage size={18} aria-hidden />}>
          <VisuallyHidden>{t("language")}</VisuallyHidden>
          {OWN_NAMES[language as Language]}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {LANGUAGES.map((one) => (
          <Menu.Item key={one} lang={one} aria-current={one === language} onClick={() => choose(one)}>
            {OWN_NAMES[one]}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
