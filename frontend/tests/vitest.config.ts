import "../scripts/group-by.mjs";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: import.meta.dirname,
  resolve: { conditions: ["source"], preserveSymlinks: true },
  test: {
    include: ["**/*.test.ts"],
    environment: "node",
    // Each file has a server and a browser that decodes video; side by side they would only slow each other.
    fileParallelism: false,
    // Bounds for a loaded machine; no test waits this long when it passes.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    teardownTimeout: 30_000,
    // A browser that decodes in software on two cores is at the mercy of its
    // neighbours. The report names what passed only at the second attempt; what
    // fails twice is a defect.
    retry: 1,
    reporters: ["default", "./harness/summary.ts"],
  },
});
