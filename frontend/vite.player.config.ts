import { defineConfig } from "vite";

/**
 * Builds dist/player.js: one self-registering ES module with a fixed name,
 * which is its own worker, too.
 */
export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  resolve: { conditions: ["source", "module", "browser"], preserveSymlinks: true },
  build: {
    outDir: "dist",
    emptyOutDir: false,
    target: "es2022",
    modulePreload: false,
    sourcemap: false,
    rolldownOptions: {
      input: "player/src/bundle.ts",
      preserveEntrySignatures: false,
      output: { format: "es", entryFileNames: "player.js", codeSplitting: false },
    },
  },
});
