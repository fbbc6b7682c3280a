import { defineConfig } from "vitest/config";

// Journeys in a real browser against the real server, one after the other: they measure, too.
export default defineConfig({
  test: {
    environment: "node",
    include: ["tests/**/*.journey.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
