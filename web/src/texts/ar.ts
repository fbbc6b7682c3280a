// What the app says in Arabic, in one file; the builder's catalogue is as long as the others together and comes with the builder.

export { default as contacts } from "./ar/contacts.json";
export { default as conversations } from "./ar/conversations.json";
export { default as gallery } from "./ar/gallery.json";
export { default as home } from "./ar/home.json";
export { default as runs } from "./ar/runs.json";
export { default as settings } from "./ar/settings.json";
export { default as shell } from "./ar/shell.json";
export { default as workflows } from "./ar/workflows.json";
