// Texts: one language at a time is loaded, the builder's with the builder.

import i18next, { type BackendModule, type InitOptions } from "i18next";
import { initReactI18next } from "react-i18next";
import { directionOf, isLanguage, type Language } from "./languages";

type Catalogue = Record<string, unknown>;
const APP: Record<Language, () => Promise<Record<string, Catalogue>>> = { en: () => import("./en"), fr: () => import("./fr"), ar: () => import("./ar") };
const BUILDER = import.meta.glob<{ default: Catalogue }>("./*/builder.json");

export async function loadCatalogue(language: string, name: string): Promise<Catalogue> {
  const known = isLanguage(language) ? language : "en";
  return (name === "builder" ? (await BUILDER[`./${known}/builder.json`]?.())?.default : (await APP[known]())[name]) ?? {};
}

const loader: BackendModule = {
  type: "backend",
  init: () => undefined,
  read: (language, name, done) => {
    loadCatalogue(language, name).then(
      (texts) => done(null, texts as never),
      (error: unknown) => done(error as Error, false),
    );
  },
};

export const OPTIONS: InitOptions = {
  ns: ["shell"],
  defaultNS: "shell",
  fallbackLng: false,
  interpolation: { escapeValue: false },
  returnNull: false,
  react: { useSuspense: true },
};

const KEPT_AS = "onward.language";

/** Begins with the language that `start.js` chose before the first paint. */
export async function startTexts(): Promise<void> {
  await i18next.use(loader).use(initReactI18next).init({ ...OPTIONS, lng: document.documentElement.lang });
}

/** Changes the language and its direction, here and for the next visit. */
export async function speak(language: Language): Promise<void> {
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
  document.documentElement.dir = directionOf(language);
  try {
    localStorage.setItem(KEPT_AS, language);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}
