import { defineConfig } from "vite";

/**
 * Builds dist/player.js: a self-registering ES module with a fixed name, which
 * is its own worker, too. The controls are another file, which comes after the
 * first picture: what stands before that is read twice, by page and worker.
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
      output: {
        format: "es",
        entryFileNames: "player.js",
        chunkFileNames: "assets/[name]-[hash].js",
        codeSplitting: { groups: [{ name: "controls", test: /media-chrome|ui\/controls/ }] },
      },
    },
  },
});
