import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { root, serve, startBrowser, stopAll } from "../stage/programs.js";
import { admin, type DirectiveOutcome, direct } from "./harness/admin.ts";
import { Player } from "./harness/player.ts";
import { Site } from "./harness/site.ts";
import { brokenConnection, holds, type Stage } from "./harness/stage.ts";
import { until } from "./harness/until.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let address: string;
let browser: Browser;
let site: Site;
const it = (name: string, body: (stage: Stage) => Promise<void>) => holds(name, () => browser, body);

beforeAll(async () => {
  // Pages of localhost may embed players; those of 127.0.0.1, the same site by another name, may not.
  ({ address } = await serve(["--origin", "localhost:*", "--source", "demo=demo:", "--source", "other=demo:"]));
  site = await Site.start();
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await site?.close();
  await stopAll();
});

/** What a page shows when it is ready. */
async function ready(page: Page, path: string): Promise<void> {
  if (path === "/") await until("the demo in the gallery", () => page.locator('a[href$="/watch/demo"]').count());
  else await new Player(page).plays();
}

describe("every page", () => {
  for (const colorScheme of ["light", "dark"] as const) {
    for (const path of ["/", "/watch/demo", "/embed/demo"]) {
      it(`${path} loads in ${colorScheme} colours without errors and without what axe objects to`, async (stage) => {
        const page = await stage.open(`http://${address}${path}`, { colorScheme, reducedMotion: "reduce" });
        await ready(page, path);
        await page.evaluate(axe);
        const violations = await page.evaluate(async () => {
          const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
          const results = await axe.run(document, { iframes: false });
          return results.violations.map(({ id, help, nodes }) => ({
            id,
            help,
            nodes: nodes.slice(0, 5).map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`),
          }));
        });
        expect(violations).toEqual([]);
      });
    }
  }

  for (const path of ["/watch/demo", "/embed/demo?muted=0&latency=400", "/embed/demo?controls=0"]) {
    it(`${path} plays over the connection that it opened before its player was loaded`, async (stage) => {
      const page = await stage.open("about:blank");
      const begun: number[] = [];
      page.on("websocket", () => begun.push(Date.now()));
      await page.goto(`http://${address}${path}`);
      await new Player(page).plays();
      expect(begun).toHaveLength(1);
      expect(page.workers()).toHaveLength(1);
      expect(await page.evaluate(() => "framewireEarlyStart" in globalThis)).toBe(false);
    });
  }

  for (const path of ["/watch/demo", "/embed/demo?muted=0"]) {
    it(`${path} plays before its scripts have come, which then take over what plays`, async (stage) => {
      const page = await stage.open("about:blank");
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      await page.route("**/player.js", (route) => held.then(() => route.continue()));
      await page.goto(`http://${address}${path}`, { waitUntil: "commit" });
      const video = page.locator("framewire-player video");
      await until("pictures to move", () => video.evaluate((video: HTMLVideoElement) => video.currentTime > 0.5));
      expect(await page.evaluate(() => customElements.get("framewire-player"))).toBeUndefined();
      await video.evaluate((video) => {
        video.classList.add("the-same");
        for (const type of ["emptied", "pause"]) video.addEventListener(type, () => video.classList.add(type));
      });
      release();
      await new Player(page).plays();
      expect(await video.getAttribute("class")).toBe("the-same");
    });
  }

  it("fits a phone: nothing is wider than the screen, and the player's buttons are within it", async (stage) => {
    const phone = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
    for (const path of ["/", "/watch/demo", "/embed/demo"]) {
      const page = await stage.open(`http://${address}${path}`, phone);
      await ready(page, path);
      expect(await page.evaluate(() => document.documentElement.scrollWidth), `width of ${path}`).toBeLessThanOrEqual(
        360,
      );
      if (path === "/") continue;
      for (const part of ["play", "mute", "fullscreen"]) {
        const box = await page.locator(`framewire-player [part="${part}"]`).boundingBox();
        expect(box?.x, `left of ${part}`).toBeGreaterThanOrEqual(0);
        expect((box?.x ?? 0) + (box?.width ?? 999), `right of ${part}`).toBeLessThanOrEqual(360);
      }
    }
  });
});

describe("the gallery", () => {
  it("says on a card how many watch, and how far behind live they are", async (stage) => {
    await new Player(await stage.open(`http://${address}/embed/other`)).plays();
    const page = await stage.open(`http://${address}/`);
    const card = page.locator("li.card", { has: page.locator('a[href$="/watch/other"]') });
    await until("the latency", async () => /\d (ms|s) behind live/.test((await card.textContent()) ?? ""));
    expect(await card.textContent()).toContain("1 viewer");
  });

  it("says that there is nothing yet, that the server is lost, and is right again when it is back", async (stage) => {
    stage.allow(brokenConnection);
    const first = await serve(["--source", "gone=demo:"]);
    await admin(first.address, "RemoveStream", { stream: "gone" });
    const page = await stage.open(`http://${first.address}/`);
    await page.getByText("No streams yet").waitFor();
    await page.getByRole("link", { name: "Put one on it" }).waitFor();
    await first.stop();
    await page.getByRole("alert").filter({ hasText: "The connection to the server is lost" }).waitFor();
    stage.closes(await serve(["--source", "yard=demo:"], { listen: first.address }));
    await page.locator('a[href$="/watch/yard"]').waitFor();
    await until("the notice to be gone", async () => !(await page.getByRole("alert").isVisible()));
    expect(await page.getByText("No streams yet").isVisible()).toBe(false);
  });
});

describe("the player's controls", () => {
  it("are worked by the keys of video sites", async (stage) => {
    const player = await stage.embed(address, "demo", "?muted=0");
    const page = player.page as Page;
    await player.plays();
    await page.locator("framewire-player media-controller").focus();
    const press = async (key: string, what: string, probe: Parameters<typeof player.do<boolean, undefined>>[0]) => {
      await page.keyboard.press(key);
      await until(`${key}: ${what}`, () => player.do(probe));
    };
    const said = (words: string) =>
      until(`"${words}" for those who listen`, () =>
        player.do((e, text) => e.shadowRoot?.querySelector("[aria-live=polite]")?.textContent === text, words),
      );
    await press("k", "paused", (element) => element.paused);
    await said("Paused");
    await press("k", "playing", (element) => !element.paused);
    await said("Playing live");
    await press("m", "muted", (element) => element.muted);
    await press("m", "not muted", (element) => !element.muted);
    await press("ArrowDown", "quieter", (element) => element.volume === 0.95);
    await press("ArrowUp", "louder", (element) => element.volume === 1);
    await press("i", "statistics", (element) => element.hasAttribute("stats"));
    await press("Escape", "no statistics", (element) => !element.hasAttribute("stats"));
    await press("?", "help", (e) => e.shadowRoot?.querySelector<HTMLElement>('[part="help"]')?.hidden === false);
    await press("Escape", "no help", (e) => e.shadowRoot?.querySelector<HTMLElement>('[part="help"]')?.hidden === true);
    await until("five seconds to seek in", () =>
      player.do(({ seekable }) => seekable.length > 0 && seekable.end(0) - seekable.start(0) > 6),
    );
    await page.locator("framewire-player media-controller").focus();
    await press("ArrowLeft", "behind live", (element) => !element.isLive);
    await press("l", "live", (element) => element.isLive);
    await press("f", "full screen", () => document.fullscreenElement !== null);
  });

  it("have names, and are reached with the Tab key in the order in which they are seen", async (stage) => {
    const player = await stage.embed(address, "demo", "?muted=0");
    const page = player.page as Page;
    await player.plays();
    const focused = () =>
      page.evaluate(() => {
        let element = document.activeElement;
        for (;;) {
          const inner = element?.shadowRoot?.activeElement;
          if (!inner) return element?.getAttribute("part") ?? element?.localName;
          if (inner.hasAttribute("part")) return inner.getAttribute("part");
          element = inner;
        }
      });
    const order: unknown[] = [];
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press("Tab");
      const part = await focused();
      if (order.at(-1) !== part) order.push(part);
    }
    const expected = ["play", "mute", "live", "stats-button", "fullscreen"];
    expect(order.filter((part) => expected.includes(String(part))).slice(0, expected.length)).toEqual(expected);
  });

  for (const [reducedMotion, moving] of [
    ["no-preference", true],
    ["reduce", false],
  ] as const) {
    it(`${moving ? "move" : "move nothing"} while something is waited for, with ${reducedMotion} of motion`, async (stage) => {
      const player = await stage.embed(address, "nobody", "", { reducedMotion });
      await player.reaches("waiting");
      await until("the ring", () => player.do((e) => e.shadowRoot?.querySelector(".ring")?.checkVisibility() === true));
      const animations = await player.do((e) => e.shadowRoot?.getAnimations().length ?? 0);
      expect(animations > 0).toBe(moving);
    });
  }

  it("the statistics show figures that are true", async (stage) => {
    const player = await stage.embed(address, "demo", "?muted=0");
    await player.plays(40);
    await player.do((element) => element.setAttribute("stats", ""));
    const panel = (player.page as Page).locator('framewire-player [part="stats"]');
    const text = await until("the codecs", async () => {
      const shown = await panel.innerText();
      return /H\.264/.test(shown) && shown;
    });
    const { width, height } = await player.do(({ videoWidth: width, videoHeight: height }) => ({ width, height }));
    expect(text).toContain(`${width} × ${height}`);
    for (const figure of [
      /Latency\s+\d+ ms/,
      /Buffer\s+\d+ ms \(aims at \d+ ms\)/,
      /Playback rate\s+[01]\.\d\d×/,
      /Jitter, round trip\s+\d+ ms, \d+ ms/,
      /Bitrate\s+[\d.]+ [Mk]bit\/s/,
      /Frames\s+\d+ \/s, \d+ of \d+ dropped/,
      /Codecs\s+H\.264 \(avc1\.\w+\), AAC \(mp4a\.40\.2\)/,
      /Stalls\s+\d+, \d+ ms in all/,
      /Sent\s+everything/,
      /Reconnects\s+0/,
      /Server\s+framewire\S* \S+ \(worker\)/,
    ]) {
      expect(text).toMatch(figure);
    }
    const drawn = await panel.locator("canvas").evaluate((graph: HTMLCanvasElement) => {
      const { data = [] } = graph.getContext("2d")?.getImageData(0, 0, graph.width, graph.height) ?? {};
      return data.some((value) => value > 0);
    });
    expect(drawn, "a graph").toBe(true);
    const stats = await player.stats();
    expect(stats?.latency).toBeGreaterThan(0);
    expect(stats?.framesDecoded).toBeGreaterThan(40);
    expect(stats?.bitrate).toBeGreaterThan(1000);
    expect(stats?.thread).toBe("worker");
  });
});

describe("the statistics", () => {
  it("leave the button for sound free, however narrow the player is", async (stage) => {
    const player = await stage.embed(address, "demo", "?muted=1");
    const page = player.page as Page;
    await player.plays();
    await player.do((element) => element.setAttribute("stats", ""));
    const panel = page.locator('framewire-player [part="stats"]');
    const button = page.getByRole("button", { name: "Turn sound on" });
    for (const width of [320, 360, 640]) {
      await page.setViewportSize({ width, height: Math.round((width * 9) / 16) });
      await until("room for both", async () => {
        const [one, other] = [await panel.boundingBox(), await button.boundingBox()];
        return one && other && one.x >= 0 && one.x + one.width <= other.x && other.x + other.width <= width;
      });
    }
    await button.click();
    await until("sound", () => player.do((element) => !element.muted));
  });
});

describe("a browser", () => {
  it("without Media Source Extensions is told why, and offered the stream in other forms", async (stage) => {
    const player = await stage.embed(address, "demo", "", {
      init: () => {
        for (const name of ["MediaSource", "ManagedMediaSource"]) Reflect.deleteProperty(window, name);
      },
    });
    expect(await player.reaches("failed")).toMatchObject({ reason: "no_media_source" });
    const links = () =>
      player.do((element) =>
        [...(element.shadowRoot?.querySelectorAll<HTMLAnchorElement>("[part=message-links] a") ?? [])]
          .filter((link) => link.checkVisibility())
          .map((link) => link.href),
      );
    await until("two links", async () => (await links()).length === 2);
    const types = await Promise.all(
      (await links()).map(async (link) => {
        const response = await fetch(link);
        await response.body?.cancel();
        return response.headers.get("content-type");
      }),
    );
    expect(types.sort()).toEqual([expect.stringMatching(/^multipart\/x-mixed-replace/), "video/mp4"]);
  });

  it("with nothing but ManagedMediaSource plays with that, and with remote playback off", async (stage) => {
    const player = await stage.embed(address, "demo", "?muted=0", {
      init: () => {
        // As on an iPhone; to the element, what this browser plays has to be what it knows.
        const { MediaSource } = window;
        class ManagedMediaSource extends MediaSource {
          readonly streaming = true;
        }
        Reflect.deleteProperty(window, "MediaSource");
        Object.assign(window, { ManagedMediaSource });
      },
    });
    await player.plays();
    await player.sounds();
    expect((await player.stats())?.thread).toBe("page");
    expect(await player.do((element) => element.media.nativeEl.disableRemotePlayback)).toBe(true);
  });
});

describe("what an operator asks of players", () => {
  it("is obeyed and answered", async (stage) => {
    const player = await stage.embed(address, "demo", "?muted=0");
    await player.plays();
    const ask = async (directive: object, what: string, probe: Parameters<typeof player.do<boolean, undefined>>[0]) => {
      const outcomes: DirectiveOutcome[] = await direct(address, "demo", directive);
      expect(outcomes, what).toMatchObject([{ done: {} }]);
      await until(what, () => player.do(probe));
    };
    await ask({ pause: {} }, "paused", (element) => element.paused);
    await ask({ play: {} }, "playing", (element) => !element.paused);
    await ask({ setMuted: { muted: true } }, "muted", (element) => element.muted);
    await ask({ setMuted: { muted: false } }, "not muted", (element) => !element.muted);
    await ask({ setVolume: { volume: 0.5 } }, "half as loud", (element) => element.volume === 0.5);
    await until("a past to seek to", () =>
      player.do(({ seekable }) => seekable.length > 0 && seekable.end(0) - seekable.start(0) > 3),
    );
    await player.do((element) => {
      element.currentTime = element.seekable.end(0) - 2.5;
    });
    await until("behind live", () => player.do((element) => !element.isLive));
    await ask({ goLive: {} }, "live", (element) => element.isLive);
    await ask({ showNotice: { text: "Back in five minutes", durationMs: 60_000 } }, "the notice", (element) =>
      /Back in five minutes/.test(element.shadowRoot?.textContent ?? ""),
    );
    await ask(
      { switchStream: { stream: "other" } },
      "the other stream",
      (element) => element.stats?.stream === "other",
    );
    await player.plays();
    expect((await player.stats())?.reconnects, "connections made anew").toBe(0);
  });
});

describe("a page of another origin", () => {
  it("plays by script tag and element where the server allows its origin", async (stage) => {
    const url = site.element(address, "demo", "autoplay muted", "localhost");
    const player = new Player(await stage.open(url));
    await player.plays();
    expect((await player.stats())?.thread).toBe("worker");
  });

  it("plays with the strictest policy that the documentation tells", async (stage) => {
    const guide = readFileSync(join(root, "docs", "embed.md"), "utf8");
    const [, told] = /```\n(script-src[\s\S]*?)```/.exec(guide) ?? [];
    if (!told) throw new Error("docs/embed.md tells no policy");
    const here = told.replace("https://video.example.com", `http://${address}`);
    const policy = `default-src 'none'; ${here.replace("wss://video.example.com", `ws://${address}`).replaceAll("\n", " ")}`;
    const player = new Player(await stage.open(site.element(address, "demo", "autoplay muted", "localhost", policy)));
    await player.plays();
    expect((await player.stats())?.thread).toBe("worker");
    await until("the controls", () => player.do(({ clientHeight }) => clientHeight > 300));
  });

  it("is refused by the server where it does not, and the player says so", async (stage) => {
    const player = new Player(await stage.open(site.element(address, "demo", "autoplay muted", "127.0.0.1")));
    expect(await player.reaches("failed")).toMatchObject({ reason: "origin_refused" });
    await until("words on the page", () =>
      player.do((element) => /may not play here/.test(element.shadowRoot?.textContent ?? "")),
    );
  });

  it("plays in a frame, with the options of the address", async (stage) => {
    const url = site.page(
      `<iframe src="http://${address}/embed/demo?muted=0&controls=0&latency=700" allow="autoplay" title="demo"
        width="640" height="360"></iframe>`,
      "localhost",
    );
    const page = await stage.open(url);
    const frame = await until("the frame", () => page.frames().find((frame) => frame.url().includes("/embed/")));
    const player = new Player(frame);
    await player.plays();
    expect(
      await player.do((element) => ({
        muted: element.muted,
        latency: element.latencyTarget,
        controls: !element.hasAttribute("nocontrols"),
      })),
    ).toEqual({ muted: false, latency: 700, controls: false });
  });

  it("is given working code by the dialog of the watch page", async (stage) => {
    const page = await stage.open(`http://${address}/watch/demo`);
    await ready(page, "/watch/demo");
    await page.getByRole("button", { name: "Share and embed" }).click();
    const code = (label: string) => page.getByRole("dialog").getByRole("group", { name: label }).innerText();
    const [element, frame] = [await code("the Element"), await code("the Frame")];
    await page.close();

    const withElement = await stage.open(site.page(element, "localhost"));
    await new Player(withElement).plays();
    await withElement.close();

    const withFrame = await stage.open(site.page(frame, "localhost"));
    const inner = await until("the frame", () => withFrame.frames().find((one) => one.url().includes("/embed/")));
    await new Player(inner).plays();
  });
});
