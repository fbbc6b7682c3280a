// The languages that the app speaks, and the catalogues of its texts.

export const LANGUAGES = ["en", "fr", "ar"] as const;
export type Language = (typeof LANGUAGES)[number];

/** What speakers call their own language; the same in every language, so it stands here and not in the catalogues. */
export const OWN_NAMES: Record<Language, string> = { en: "English", fr: "Français", ar: "العربية" };

/** One file a catalogue and language; `shell` comes with the first load, the others with the pages that speak from them. */
export const CATALOGUES = ["shell", "home", "contacts", "conversations", "workflows", "runs", "gallery", "settings", "builder"] as const;

export function isLanguage(text: string | null | undefined): text is Language {
  return LANGUAGES.some((language) => language === text);
}

export function directionOf(language: Language): "ltr" | "rtl" {
  return language === "ar" ? "rtl" : "ltr";
}
