import { createHash } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { defineConfig, type Plugin } from "vite";
import { withoutIndentation } from "./scripts/indentation.mjs";

const assets = join(import.meta.dirname, "dist/assets");
const resolve = { conditions: ["source", "module", "browser"], preserveSymlinks: true };

/**
 * Builds the worker, one file with all that it needs, and tells the player its
 * name. Files of builds before, whose names hold a hash of their content, go;
 * the rest of dist stays: the pages, which another configuration builds, and the
 * placeholder that the Go package needs in a fresh clone.
 */
function workerFile(): Plugin {
  return {
    name: "framewire-worker-file",
    apply: "build",
    async config() {
      const bundle = await rolldown({
        input: join(import.meta.dirname, "player/src/worker.ts"),
        resolve: { conditionNames: resolve.conditions, symlinks: !resolve.preserveSymlinks },
        transform: { target: "es2022" },
      });
      const { output } = await bundle.generate({ format: "es", minify: true, codeSplitting: false });
      const { code } = output[0];
      const name = `player-worker-${createHash("sha256").update(code).digest("base64url").slice(0, 8)}.js`;
      await rm(assets, { recursive: true, force: true });
      await mkdir(assets, { recursive: true });
      await writeFile(join(assets, name), code);
      return { define: { WORKER_FILE: JSON.stringify(`assets/${name}`) } };
    },
  };
}

/**
 * Builds dist/player.js: a self-registering ES module with a fixed name. What
 * is not needed for the first picture, or not in every browser, is in files of
 * its own: the worker, the controls, and the worker's part for pages where no
 * worker can play.
 */
export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  plugins: [workerFile(), withoutIndentation()],
  resolve,
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
