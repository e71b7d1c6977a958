// Builds the hosted pages of site/ into dist/, and serves them as they are
// edited over a running server.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { createLogger, defineConfig, type Logger, type Plugin, type ProxyOptions } from "vite";

const at = (path: string) => join(import.meta.dirname, path);

/** The running server that `npm run dev` shows the pages over. */
const server = process.env.FRAMEWIRE_SERVER ?? "http://localhost:8080";

/** What the server answers itself, and not from the pages. */
const proxied = [
  "/ws",
  "/streams",
  "/files",
  "/publish",
  "/whip",
  "/framewire.v1.AdminService",
  "/metrics",
  "/healthz",
  "/readyz",
  "/oembed",
];

/** Serves /watch/* and /embed/* as the Go server does, and /player.js from its sources. */
function routes(): Plugin {
  return {
    name: "framewire-routes",
    apply: "serve",
    resolveId: (id) => (id === "/player.js" ? at("player/src/bundle.ts") : undefined),
    configureServer({ middlewares }) {
      middlewares.use((request, _response, next) => {
        const page = /^\/(watch|embed)\//.exec(request.url ?? "")?.[1];
        if (page) request.url = `/${page}.html`;
        const alone = /^\/(studio|admin)(?:[/?]|$)/.exec(request.url ?? "")?.[1];
        if (alone) request.url = `/${alone}.html`;
        next();
      });
    },
  };
}

/**
 * Leaves /player.js in the pages as it is: it is built by itself, and pages of
 * other origins load it under the same name. It comes after the page's own
 * script, which has then told the player what to play before it is defined.
 */
function playerScript(): Plugin {
  const marker = /\s*<script type="module" src="\/player\.js"><\/script>/;
  const tag = '<script type="module" crossorigin src="/player.js"></script>';
  const players = new Set<string>();
  return {
    name: "framewire-player-script",
    apply: "build",
    transformIndexHtml: {
      order: "pre",
      handler(html, { path }) {
        if (marker.test(html)) players.add(path.slice(1));
        return html.replace(marker, "");
      },
    },
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        for (const name of players) {
          const page = bundle[name];
          if (page?.type !== "asset") this.error(`${name} was not written`);
          else page.source = String(page.source).replace(/<script type="module".*<\/script>/, `$&\n    ${tag}`);
        }
      },
    },
  };
}

/**
 * Puts boot.ts into the head of the pages with a player, as text: a file would
 * come later. The server names its hash in the pages' policy.
 */
function bootScript(): Plugin {
  const boot = async () => {
    const bundle = await rolldown({ input: at("site/boot/boot.ts") });
    const { output } = await bundle.generate({ format: "iife", minify: true });
    return output[0].code.trim();
  };
  return {
    name: "framewire-boot-script",
    apply: "build",
    transformIndexHtml: {
      order: "pre",
      async handler(html, { path }) {
        if (path !== "/watch.html" && path !== "/embed.html") return html;
        return html.replace(/<meta charset[^>]*>/, (charset) => `${charset}\n    <script>BOOT</script>`);
      },
    },
    generateBundle: {
      order: "post",
      async handler(_options, bundle) {
        const code = await boot();
        for (const page of Object.values(bundle)) {
          if (page.type === "asset" && page.fileName.endsWith(".html"))
            page.source = String(page.source).replace("<script>BOOT</script>", () => `<script>${code}</script>`);
        }
      },
    },
  };
}

/**
 * Removes the files of the build before, whose names hold a hash of their
 * content. The rest of dist stays: player.js, which another configuration
 * builds, and the placeholder that the Go package needs in a fresh clone.
 */
function removeOldAssets(): Plugin {
  return {
    name: "framewire-remove-old-assets",
    apply: "build",
    buildStart: () => rm(at("dist/assets"), { recursive: true, force: true }),
  };
}

/** Vite's own log, without a stack for each page that is left while it plays. */
function quietLogger(): Logger {
  const logger = createLogger();
  return {
    ...logger,
    error(message, options) {
      const code = (options?.error as NodeJS.ErrnoException | undefined)?.code ?? "";
      if (/ws proxy/.test(message) && /EPIPE|ECONNRESET/.test(code)) return;
      logger.error(message, options);
    },
  };
}

export default defineConfig({
  root: at("site"),
  appType: "mpa",
  customLogger: quietLogger(),
  publicDir: false,
  plugins: [routes(), playerScript(), bootScript(), removeOldAssets()],
  resolve: { preserveSymlinks: true, conditions: ["source", "module", "browser", "development|production"] },
  build: {
    outDir: at("dist"),
    emptyOutDir: false,
    target: "es2023",
    // No data: addresses and no inline scripts, which a strict policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: ["index", "watch", "embed", "studio", "admin", "missing"].map((page) => at(`site/${page}.html`)),
      // One small file for all that pages share, in place of one for each module.
      output: { codeSplitting: { groups: [{ name: "shared", test: /site\/lib\// }] } },
    },
  },
  // All of them before the first page asks: what is found later reloads the page.
  optimizeDeps: { entries: [at("site/*.html"), at("player/src/bundle.ts")] },
  // One module that loads nothing else: what the page has loaded is of no use there.
  worker: { format: "es" },
  server: {
    port: 5173,
    fs: { allow: [at(".."), at("../gen/ts")] },
    // The Host of the request stays what the browser sent, or the server would
    // take the page for one of another origin.
    proxy: Object.fromEntries(
      proxied.map((path): [string, ProxyOptions] => [
        path,
        { target: server, ws: path === "/ws", changeOrigin: false },
      ]),
    ),
  },
});
