import i18next from "i18next";
import { beforeAll, describe, expect, it } from "vitest";
import { loadCatalogue } from "../texts/start";
import { explain } from "./problem";

const problem = (code: string, detail: string, errors?: { pointer: string; detail: string }[]) => ({ type: "", title: "", status: 422, code, detail, ...(errors === undefined ? {} : { errors }) });

beforeAll(async () => {
  const languages = ["en", "fr", "ar"];
  const shells = await Promise.all(languages.map(async (language) => [language, { shell: await loadCatalogue(language, "shell") }] as const));
  await i18next.init({ lng: "en", resources: Object.fromEntries(shells), interpolation: { escapeValue: false } });
});

describe("a problem", () => {
  it("is told in the reader's language by its code", async () => {
    await i18next.changeLanguage("fr");
    expect(explain(problem("wrong_credentials", "the e-mail or the password is wrong"))).toBe("L’e-mail ou le mot de passe est incorrect.");
    await i18next.changeLanguage("ar");
    expect(explain(problem("changed", "If-Match does not fit"))).toContain("غيّر شخص آخر");
  });
  it("keeps what the server says where the code says too little", async () => {
    await i18next.changeLanguage("fr");
    const wrong = [{ pointer: "/phones/0", detail: "`12` is no phone number" }];
    expect(explain(problem("invalid_input", "/phones/0: `12` is no phone number", wrong))).toBe("Ce qui a été saisi n’est pas accepté. Le serveur précise : `12` is no phone number");
    await i18next.changeLanguage("en");
    expect(explain(problem("invalid_input", "/phones/0: `12` is no phone number", wrong))).toBe("`12` is no phone number");
  });
  it("of a new kind is told in the server's words", () => {
    expect(explain(problem("never_heard_of", "the moon is full"))).toBe("the moon is full");
  });
  it("without an answer is that the server cannot be reached", () => {
    expect(explain(new TypeError("Failed to fetch"))).toContain("cannot be reached");
  });
});
