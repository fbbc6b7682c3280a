// Light, dark, or as the device wishes. Kept under the name that `start.js` reads before the first paint.

import { localStorageColorSchemeManager } from "@mantine/core";

export const colorSchemeKeeper = localStorageColorSchemeManager({ key: "onward.color-scheme" });
