import "../scripts/group-by.mjs";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: import.meta.dirname,
  resolve: { conditions: ["source", "module", "import", "default"], preserveSymlinks: true },
  test: { include: ["test/**/*.test.ts"], environment: "node" },
});
