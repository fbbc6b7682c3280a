import "./mantine.css";
import "./surface.css";
import { startTransition, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { makeQueryClient } from "../client/queries";
import { askForSession, wasSignedIn } from "../client/session";
import { startTexts } from "../texts/start";
import { App } from "./App";
import { makeRouter } from "./router";

/** Longer than most servers take; whoever waits longer sees what is there. */
const PATIENCE_MS = 2_500;

const root = document.getElementById("root");
if (root !== null) {
  // What the first page needs is fetched side by side, not one after the other.
  const queries = makeQueryClient();
  const session = askForSession(queries);
  const texts = startTexts();
  const router = makeRouter();
  const page = wasSignedIn() ? router.load() : Promise.resolve();
  await texts;
  // What `index.html` shows stays until the page can take its place at once, but not for long.
  await Promise.race([Promise.allSettled([session, page]), new Promise((done) => setTimeout(done, PATIENCE_MS))]);
  // In small pieces: a slow phone hears a finger in between.
  startTransition(() =>
    createRoot(root).render(
      <StrictMode>
        <App queries={queries} router={router} />
      </StrictMode>,
    ),
  );
}
