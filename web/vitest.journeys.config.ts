import { defineConfig } from "vitest/config";

// Journeys in a real browser against the real server, one after the other: they measure, too.
export default defineConfig({
  test: {
    environment: "node",
    include: ["tests/**/*.journey.ts"],
    fileParallelism: false,
    // Nothing is waited for by the clock, so these only end what will never end; a slow machine takes its time.
    testTimeout: 300_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000, interval: 50 } },
  },
});
