import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./surface.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { startTexts } from "../texts/start";
import { App } from "./App";

const root = document.getElementById("root");
if (root !== null) {
  await startTexts();
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
