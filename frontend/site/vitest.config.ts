import "../scripts/group-by.mjs";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: import.meta.dirname,
  resolve: { conditions: ["source"], preserveSymlinks: true },
  test: { include: ["**/*.test.ts"] },
});
