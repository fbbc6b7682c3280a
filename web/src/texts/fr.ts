// What the app says in French, in one file; the builder's catalogue is as long as the others together and comes with the builder.

export { default as contacts } from "./fr/contacts.json";
export { default as conversations } from "./fr/conversations.json";
export { default as gallery } from "./fr/gallery.json";
export { default as home } from "./fr/home.json";
export { default as runs } from "./fr/runs.json";
export { default as settings } from "./fr/settings.json";
export { default as shell } from "./fr/shell.json";
export { default as workflows } from "./fr/workflows.json";
