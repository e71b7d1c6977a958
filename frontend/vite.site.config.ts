// Builds the hosted pages of site/ into dist/, and serves them as they are
// edited over a running server.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { createLogger, defineConfig, type Logger, type Plugin, type ProxyOptions } from "vite";
import { mediaTemplate } from "./player/src/element/base.ts";
import { template } from "./player/src/ui/template.ts";

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

/** The pages that begin to play before their scripts have come. */
const withPlayer = new Set(["watch.html", "embed.html"]);

/** A page as Vite leaves it, changed before it is written. */
function changePages(name: string, change: (html: string, page: string) => string | Promise<string>): Plugin {
  return {
    name,
    apply: "build",
    generateBundle: {
      order: "post",
      async handler(_options, bundle) {
        for (const page of Object.values(bundle)) {
          if (page.type === "asset" && page.fileName.endsWith(".html"))
            page.source = await change(String(page.source), page.fileName);
        }
      },
    },
  };
}

/**
 * Leaves /player.js in the pages as it is: it is built by itself, and pages of
 * other origins load it under the same name. It comes after the page's own
 * script, which has then told the player what to play before it is defined.
 */
function playerScript(): Plugin[] {
  const marker = /\s*<script type="module" src="\/player\.js"><\/script>/;
  const tag = '<script type="module" crossorigin src="/player.js"></script>';
  const players = new Set<string>();
  return [
    {
      name: "framewire-player-marker",
      apply: "build",
      transformIndexHtml: {
        order: "pre",
        handler(html, { path }) {
          if (marker.test(html)) players.add(path.slice(1));
          return html.replace(marker, "");
        },
      },
    },
    changePages("framewire-player-script", (html, page) =>
      players.has(page) ? html.replace(/<script type="module".*<\/script>/, `$&\n    ${tag}`) : html,
    ),
  ];
}

/**
 * Has the pages with a player show a picture before their scripts run: puts the
 * player's shadow trees into the HTML, with the video element in them, puts
 * boot.ts into its head, as text, since a file would come later, and leaves the
 * scripts to it. The server names its hash in the pages' policy.
 */
function pictureFirst(): Plugin {
  const boot = async () => {
    const worker = (await readdir(at("dist/assets"))).find((name) => /^player-worker-.*\.js$/.test(name));
    if (!worker) throw new Error("dist/assets has no worker: build the player first");
    const bundle = await rolldown({
      input: at("site/boot/boot.ts"),
      transform: { define: { WORKER_FILE: JSON.stringify(`/assets/${worker}`) } },
    });
    const { output } = await bundle.generate({ format: "iife", minify: true });
    return output[0].code.trim();
  };
  const media = `<template shadowrootmode="open">${mediaTemplate}</template>`;
  const player = template.replace("</framewire-video>", () => `${media}</framewire-video>`);
  const shadow = `<template shadowrootmode="open" shadowrootdelegatesfocus>${player}</template>`;
  return changePages("framewire-picture-first", async (html, page) => {
    if (!withPlayer.has(page)) return html;
    const code = await boot();
    return html
      .replace(/<meta charset[^>]*>/, (charset) => `${charset}\n    <script>${code}</script>`)
      .replace(/<script type="module" crossorigin src="([^"]*)"><\/script>/g, later)
      .replace(/<link rel="modulepreload" crossorigin href="([^"]*)">/g, preload)
      .replace(/(<framewire-player[^>]*>)(<\/framewire-player>)/, (_, open, close) => open + shadow + close);
  });
}

const preload = '<link rel="preload" as="script" crossorigin fetchpriority="low" href="$1">';
const later = preload.replace("<link", "<link data-later");

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
  plugins: [routes(), playerScript(), pictureFirst()],
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
