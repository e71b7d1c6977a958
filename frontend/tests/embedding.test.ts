import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { serve, startBrowser, stopAll } from "../stage/programs.js";
import { Player } from "./harness/player.ts";
import { Site } from "./harness/site.ts";
import { brokenConnection, holds, type Stage } from "./harness/stage.ts";
import { until } from "./harness/until.ts";

let address: string;
let browser: Browser;
let site: Site;
const it = (name: string, body: (stage: Stage) => Promise<void>) => holds(name, () => browser, body);
const brokenPolicy = /Content Security Policy/;

beforeAll(async () => {
  // Pages of localhost may embed players; those of 127.0.0.1, the same site by another name, may not.
  ({ address } = await serve(["--origin", "localhost:*", "--source", "demo=demo:"]));
  site = await Site.start();
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await site?.close();
  await stopAll();
});

describe("the frame that oEmbed tells", () => {
  const told = async () => {
    const url = encodeURIComponent(`http://${address}/watch/demo`);
    const response = await fetch(`http://${address}/oembed?url=${url}&format=json`);
    return ((await response.json()) as { html: string }).html;
  };

  it("plays on a page of an origin that the server allows", async (stage) => {
    const page = await stage.open(site.page(await told(), "localhost"));
    const frame = await until("the frame", () => page.frames().find((frame) => frame.url().includes("/embed/")));
    await new Player(frame).plays();
  });

  it("is refused by the browser elsewhere, as the server told it", async (stage) => {
    stage.allow(/frame-ancestors/);
    const page = await stage.open("about:blank");
    const refused = page.waitForEvent("console", (message) => /frame-ancestors/.test(message.text()));
    await page.goto(site.page(await told(), "127.0.0.1"));
    await refused;
    const [, frame] = page.frames();
    expect(await frame?.locator("framewire-player").count()).toBe(0);
  });
});

describe("a player without a worker", () => {
  it("plays in the page where the page's policy forbids workers", async (stage) => {
    stage.allow(brokenPolicy);
    const url = site.element(address, "demo", "autoplay muted", "localhost", "worker-src 'none'");
    const player = new Player(await stage.open(url));
    await player.plays();
    expect((await player.stats())?.thread).toBe("page");
  });

  it("plays in the page where the worker stays silent", async (stage) => {
    const player = await stage.embed(address, "demo", "", {
      init: () => {
        class Silent extends EventTarget {
          postMessage(): void {}
          terminate(): void {}
        }
        Object.assign(window, { Worker: Object.assign(Silent, window.Worker) });
      },
    });
    await player.plays();
    expect((await player.stats())?.thread).toBe("page");
  });

  it("says so where the code that would take its place cannot be loaded", async (stage) => {
    stage.allow(brokenPolicy);
    stage.allow(brokenConnection);
    const page = await stage.open("about:blank");
    await page.route("**/assets/host-*.js", (route) => route.abort());
    await page.goto(site.element(address, "demo", "autoplay muted", "localhost", "worker-src 'none'"));
    const player = new Player(page);
    expect(await player.reaches("failed")).toMatchObject({ reason: "not_loaded" });
    await page.getByText("A part of the player is missing", { exact: true }).waitFor();
  });
});

describe("the looks of a player", () => {
  it("are a page's to change by property, part and slot", async (stage) => {
    const style = `framewire-player { --framewire-radius: 3px; width: 640px }
      framewire-player::part(title) { color: rgb(1, 2, 3) }`;
    const page = await stage.open(
      site.page(
        `<style>${style}</style><script type="module" src="http://${address}/player.js"></script>
         <framewire-player src="ws://${address}/ws?stream=demo" autoplay muted><b slot="overlay">Ours</b></framewire-player>`,
        "localhost",
      ),
    );
    const player = new Player(page);
    await player.plays(2);
    expect(await player.do((element) => getComputedStyle(element).borderRadius)).toBe("3px");
    expect(await page.locator('framewire-player [part="title"]').evaluate((e) => getComputedStyle(e).color)).toBe(
      "rgb(1, 2, 3)",
    );
    expect(await page.getByText("Ours").boundingBox()).toMatchObject({ width: expect.any(Number) });
    expect(await page.getByText("Ours").evaluate((e) => e.assignedSlot?.name)).toBe("overlay");
  });
});
