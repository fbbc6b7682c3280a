// Makes a key that is in no catalogue a mistake of types. English is the reference; a test compares the others with it.

import "i18next";
import type builder from "./en/builder.json";
import type contacts from "./en/contacts.json";
import type conversations from "./en/conversations.json";
import type gallery from "./en/gallery.json";
import type home from "./en/home.json";
import type runs from "./en/runs.json";
import type settings from "./en/settings.json";
import type shell from "./en/shell.json";
import type workflows from "./en/workflows.json";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "shell";
    resources: {
      builder: typeof builder;
      contacts: typeof contacts;
      conversations: typeof conversations;
      gallery: typeof gallery;
      home: typeof home;
      runs: typeof runs;
      settings: typeof settings;
      shell: typeof shell;
      workflows: typeof workflows;
    };
    returnNull: false;
  }
}
