import { NativeSelect } from "@mantine/core";
import { IconLanguage } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { isLanguage, LANGUAGES, OWN_NAMES } from "../../texts/languages";
import { useLanguageChoice } from "../shell/language";

/** The language, for whoever is not signed in yet. */
export function LanguageField() {
  const { t } = useTranslation("shell");
  const { language, choose } = useLanguageChoice();
  return (
    <NativeSelect
      aria-label={t("language")}
      variant="unstyled"
      leftSection={<IconLanguage size={18} aria-hidden />}
      data={LANGUAGES.map((one) => ({ value: one, label: OWN_NAMES[one] }))}
      value={language}
      onChange={(event) => {
        const { value } = event.currentTarget;
        if (isLanguage(value)) {
          choose(value);
        }
      }}
    />
  );
}
