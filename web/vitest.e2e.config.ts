import { defineConfig } from "vitest/config";

// One server and one browser for all stories, which run one after the other; each has a tenant of its own.
export default defineConfig({
  test: {
    include: process.env.TRIBUTARY_FIGURES ? ["e2e/*.bench.ts"] : ["e2e/**/*.story.ts"],
    pool: "forks",
    maxWorkers: 1,
    isolate: false,
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
