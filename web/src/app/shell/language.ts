import { useDirection } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { directionOf, type Language } from "../../texts/languages";
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
