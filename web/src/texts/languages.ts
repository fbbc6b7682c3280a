// The languages that the app speaks, and which catalogues each page needs.

export const LANGUAGES = ["en", "fr", "ar"] as const;
export type Language = (typeof LANGUAGES)[number];

/** What speakers call their own language; the same in every language, so it stands here and not in the catalogues. */
export const OWN_NAMES: Record<Language, string> = { en: "English", fr: "Français", ar: "العربية" };

/** The catalogues that come with the first load; `builder` comes with the builder. */
export const FIRST_CATALOGUES = ["shell", "home", "contacts", "conversations", "workflows", "runs", "gallery", "settings"] as const;

export function isLanguage(text: string | null | undefined): text is Language {
  return LANGUAGES.some((language) => language === text);
}

export function directionOf(language: Language): "ltr" | "rtl" {
  return language === "ar" ? "rtl" : "ltr";
}
