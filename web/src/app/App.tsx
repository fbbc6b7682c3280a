import { DirectionProvider, MantineProvider } from "@mantine/core";
import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { Suspense } from "react";
import { colorSchemeKeeper } from "./color-scheme";
import type { makeRouter } from "./router";
import { SessionGate } from "./session/SessionGate";
import { Notices } from "./notices/Notices";
import { theme } from "./theme";

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
          </Suspense>
        </QueryClientProvider>
      </MantineProvider>
    </DirectionProvider>
  );
}
