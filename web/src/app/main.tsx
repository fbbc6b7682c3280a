import "./mantine.css";
import "./surface.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { makeQueryClient } from "../client/queries";
import { askForSession, wasSignedIn } from "../client/session";
import { startTexts } from "../texts/start";
import { App } from "./App";
import { makeRouter } from "./router";

const root = document.getElementById("root");
if (root !== null) {
  // What the first page needs is fetched side by side, not one after the other.
  const queries = makeQueryClient();
  askForSession(queries);
  const texts = startTexts();
  const router = makeRouter();
  if (wasSignedIn()) {
    void router.load();
  }
  await texts;
  createRoot(root).render(
    <StrictMode>
      <App queries={queries} router={router} />
    </StrictMode>,
  );
}
