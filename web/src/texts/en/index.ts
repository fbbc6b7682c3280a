// The catalogues of the first load, as one file.

import contacts from "./contacts.json";
import conversations from "./conversations.json";
import gallery from "./gallery.json";
import home from "./home.json";
import runs from "./runs.json";
import settings from "./settings.json";
import shell from "./shell.json";
import workflows from "./workflows.json";

export default { contacts, conversations, gallery, home, runs, settings, shell, workflows };
