// What the app says in English, in one file; the builder's catalogue is as long as the others together and comes with the builder.

export { default as contacts } from "./en/contacts.json";
export { default as conversations } from "./en/conversations.json";
export { default as gallery } from "./en/gallery.json";
export { default as home } from "./en/home.json";
export { default as runs } from "./en/runs.json";
export { default as settings } from "./en/settings.json";
export { default as shell } from "./en/shell.json";
export { default as workflows } from "./en/workflows.json";
