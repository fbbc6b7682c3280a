// Makes a key that is in no catalogue a mistake of types. English is the reference; a test compares the others with it.

import "i18next";
import type builder from "./en/builder.json";
import type first from "./en";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "shell";
    resources: typeof first & { builder: typeof builder };
    returnNull: false;
  }
}
