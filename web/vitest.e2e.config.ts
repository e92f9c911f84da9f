import { defineConfig } from "vitest/config";

// TRIBUTARY_STORIES names what is no story: pages that are measured, and pictures that are made.
// One server and one browser for all stories, two of which are told at a time, since each waits for much: mails, verdicts,
// runs. Each has a tenant of its own.
export default defineConfig({
  test: {
    include: [process.env.TRIBUTARY_STORIES || "e2e/stories.ts"],
    pool: "forks",
    maxWorkers: 1,
    maxConcurrency: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
