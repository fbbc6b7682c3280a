import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { chunkOf } from "./scripts/chunks.ts";
import { firstLoads } from "./scripts/first.ts";

// Where `npm run dev` finds a server; `onward serve --demo` listens there.
const server = process.env.ONWARD_SERVER ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react(), firstLoads()],
  build: {
    target: "es2023",
    // `light-dark()` is left to the browser: Mantine sets the colour scheme in a way that its translation does not see.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // No inlined files: the content security policy allows none, and hashed files are kept by browsers for good.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    chunkSizeWarningLimit: 700,
    rolldownOptions: { output: { codeSplitting: { groups: [{ debugName: "start and pages", name: chunkOf }] } } },
  },
  server: {
    proxy: {
      "/api": { target: server, changeOrigin: true },
      "/ws": { target: server, ws: true, changeOrigin: true },
    },
  },
  test: {
    environment: "node",
    include: ["src/**/*.test.{ts,tsx}", "scripts/*.test.ts"],
    setupFiles: ["src/test-setup.ts"],
    restoreMocks: true,
  },
});
