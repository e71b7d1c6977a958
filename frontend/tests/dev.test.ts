// `make dev`: the pages as they are edited, over a server that runs.

import { stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { createServer, type ViteDevServer } from "vite";
import { afterAll, beforeAll, describe } from "vitest";
import { root } from "../stage/programs.js";
import { Player } from "./harness/player.ts";
import { setting } from "./harness/setting.ts";
import { brokenConnection } from "./harness/stage.ts";
import { until } from "./harness/until.ts";

let pages: ViteDevServer;
const here = setting({ serve: ["--source", "demo=demo:"] });
const { it } = here;

beforeAll(async () => {
  process.env.FRAMEWIRE_SERVER = `http://${here.address}`;
  pages = await createServer({
    configFile: join(root, "frontend", "vite.site.config.ts"),
    logLevel: "warn",
    server: { port: 0, host: "127.0.0.1" },
  });
  await pages.listen();
});
afterAll(() => pages?.close());

describe("the pages while they are edited", () => {
  it("play from the server, and are loaded anew after a change", async (stage) => {
    stage.allow(brokenConnection); // the page that is left breaks its own
    const page = await stage.open(new URL("/watch/demo", pages.resolvedUrls?.local[0]).href);
    await new Player(page).plays();
    await page.evaluate(() => Object.assign(window, { before: true }));

    const source = join(root, "frontend", "site", "pages", "watch", "main.ts");
    const { atime, mtime } = await stat(source);
    const now = new Date();
    await utimes(source, now, now);
    try {
      await until("another page", () => page.evaluate(() => !("before" in window)).catch(() => false));
      await new Player(page).plays();
    } finally {
      await utimes(source, atime, mtime); // or make would build the pages again
    }
  });
});
