// How everything looks: one scale of type, one accent, calm surfaces. Colours and sizes that pages use beside Mantine's own
// stand in `surface.css`.

import { createTheme, type MantineColorsTuple } from "@mantine/core";

const brand: MantineColorsTuple = ["#e9f7f5", "#d3ede9", "#a5dbd3", "#73c8bc", "#4bb8a9", "#2f9f90", "#178577", "#0b6e63", "#075950", "#02443d"];

// White words on a red button must be readable.
const red: MantineColorsTuple = ["#fff5f5", "#ffe3e3", "#ffc9c9", "#ffa8a8", "#ff8787", "#fa5252", "#e03131", "#c92a2a", "#b02525", "#8f1d1d"];

export const theme = createTheme({
  primaryColor: "brand",
  primaryShade: 7,
  colors: { brand, red },
  defaultRadius: "md",
  cursorType: "pointer",
  fontFamily: "var(--onward-font)",
  fontFamilyMonospace: "var(--onward-font-code)",
  headings: {
    fontFamily: "var(--onward-font)",
    fontWeight: "640",
    sizes: {
      h1: { fontSize: "1.625rem", lineHeight: "1.25" },
      h2: { fontSize: "1.125rem", lineHeight: "1.35" },
      h3: { fontSize: "1rem", lineHeight: "1.4" },
    },
  },
});
