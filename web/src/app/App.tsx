import { DirectionProvider, MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { Suspense, useState } from "react";
import { makeQueryClient } from "../client/queries";
import { colorSchemeKeeper } from "./color-scheme";
import { makeRouter } from "./router";
import { SessionGate } from "./session/SessionGate";
import { theme } from "./theme";

export function App() {
  const [queries] = useState(makeQueryClient);
  const [router] = useState(makeRouter);
  return (
    <DirectionProvider>
      <MantineProvider theme={theme} defaultColorScheme="auto" colorSchemeManager={colorSchemeKeeper}>
        <Notifications position="bottom-right" />
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
