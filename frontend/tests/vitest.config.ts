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
    testTimeout: 90_000,
    hookTimeout: 90_000,
    teardownTimeout: 30_000,
    reporters: ["default", "./harness/summary.ts"],
  },
});
