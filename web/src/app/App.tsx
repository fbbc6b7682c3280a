import { DirectionProvider, MantineProvider } from "@mantine/core";
import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { Suspense, useLayoutEffect } from "react";
import { colorSchemeKeeper } from "./color-scheme";
import type { makeRouter } from "./router";
import { SessionGate } from "./session/SessionGate";
import { Notices } from "./notices/Notices";
import { theme } from "./theme";

/** Takes away what `index.html` shows, as soon as something of the app is in its place. */
function TakeOver() {
  useLayoutEffect(() => document.getElementById("first")?.remove(), []);
  return null;
}

export function App({ queries, router }: { queries: QueryClient; router: ReturnType<typeof makeRouter> }) {
  return (
    <DirectionProvider>
      <MantineProvider theme={theme} defaultColorScheme="auto" colorSchemeManager={colorSchemeKeeper}>
        <Notices />
        <QueryClientProvider client={queries}>
          <Suspense>
            <SessionGate>
              <RouterProvider router={router} />
            </SessionGate>
            <TakeOver />
          </Suspense>
        </QueryClientProvider>
      </MantineProvider>
    </DirectionProvider>
  );
}
