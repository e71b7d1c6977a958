import type { Page } from "playwright-core";
import { describe, expect } from "vitest";
import { serve, startNetwork } from "../stage/programs.js";
import { objections } from "./harness/axe.ts";
import { KeyframeWatch } from "./harness/keyframes.ts";
import { setting } from "./harness/setting.ts";
import { brokenConnection, type Stage } from "./harness/stage.ts";
import { until } from "./harness/until.ts";

const key = "a-key-for-tests";

const here = setting({ browser: { devices: true } });
const { it } = here;

let streams = 0;

/** The studio with the fake camera on, and a stream name of its own. Devices need a secure context: localhost. */
async function studio(stage: Stage, address: string): Promise<{ page: Page; stream: string }> {
  const stream = `studio-${++streams}`;
  const page = await stage.open(`http://${local(address)}/studio?stream=${stream}`);
  await page.selectOption("#height", "360");
  // Where devices are allowed, the camera comes on by itself, and the button goes.
  await page.locator("#use-camera").dispatchEvent("click");
  await page.waitForFunction(() => (document.querySelector("#picture") as HTMLVideoElement).videoHeight === 360);
  return { page, stream };
}

const local = (address: string) => address.replace("127.0.0.1", "localhost");
const badge = (page: Page) => page.locator("#badge").textContent();
const notice = (page: Page) => page.locator("#notice").textContent();

async function goLive(page: Page): Promise<void> {
  await page.click("#go");
  await isLive(page);
}

async function isLive(page: Page): Promise<void> {
  try {
    await until("the studio is live", async () => (await badge(page)) === "LIVE");
  } catch (error) {
    throw new Error(`${error}; it says ${await badge(page)}: ${await notice(page)}`);
  }
}

describe("the studio", () => {
  it("publishes camera and microphone, which another page plays with picture and sound", async (stage) => {
    const { page, stream } = await studio(stage, here.address);
    await goLive(page);
    const player = await stage.embed(here.address, stream, "?muted=0");
    await player.plays(30);
    await player.sounds();
    const size = await player.do(({ media }) => ({
      width: media.nativeEl.videoWidth,
      height: media.nativeEl.videoHeight,
    }));
    expect(size).toEqual({ width: 640, height: 360 });
    await until("the studio counts the viewer", async () => (await page.locator("#viewers").textContent()) === "1");
    await until("the studio tells the latency at the viewer", async () =>
      /^\d+ ms$/.test((await page.locator("#latency").textContent()) ?? ""),
    );
    await page.click("#go");
    await player.reaches("waiting");
    expect(await badge(page)).toBe("Preview");
  });

  it("says what to do where the key is missing or wrong, and goes live with the right one", async (stage) => {
    const locked = stage.closes(await serve(["--publish-key", key]));
    const { page, stream } = await studio(stage, locked.address);
    for (const wrong of ["", "guess"]) {
      await page.fill("#key", wrong);
      await page.click("#go");
      await until("the refusal is shown", async () => (await notice(page))?.includes("stream key is missing or wrong"));
      expect(await badge(page)).toBe("Ended");
      await until("the form can be used again", () => page.locator("#key").isEnabled());
      expect(await page.evaluate(() => document.activeElement?.id)).toBe("key");
    }
    await page.fill("#key", key);
    await goLive(page);
    expect(await page.locator("#notice").isVisible()).toBe(false);
    const player = await stage.embed(locked.address, stream);
    await player.plays();
  });

  it("comes back by itself when its connection breaks, and viewers go on without another", async (stage) => {
    stage.allow(brokenConnection);
    const network = stage.closes(await startNetwork(here.address));
    const { page, stream } = await studio(stage, network.address);
    await goLive(page);
    const player = await stage.embed(here.address, stream);
    await player.plays();
    // Refused until it is seen: the first attempt may come at once, and its success before the next look.
    await network.set({ refuse: true });
    await network.cut();
    await until("the studio says that it reconnects", async () => (await badge(page)) !== "LIVE");
    await network.set({});
    await isLive(page);
    await player.plays();
    expect((await player.stats())?.reconnects ?? 0, "connections of the viewer").toBe(0);
  });

  it("sends less where its network is slow, so that viewers stay near, and more again after", async (stage) => {
    const network = stage.closes(await startNetwork(here.address));
    const { page, stream } = await studio(stage, network.address);
    await page.selectOption("#microphone", "none"); // sound does not adapt
    await goLive(page);
    const player = await stage.embed(here.address, stream);
    const begin = { at: performance.now(), sent: await network.sent() };
    await player.plays(30);
    const rate = (1_000 * ((await network.sent()) - begin.sent)) / (performance.now() - begin.at);
    const target = async () => Number(await page.locator("#bitrate").getAttribute("data-target"));
    const latency = async () => (await player.stats())?.latency ?? Number.POSITIVE_INFINITY;
    const best = await target();
    // A share of what it sends: a busy machine encodes few pictures, which would fit through any fixed rate.
    await network.set({ up: { rate_bytes_per_second: Math.ceil(rate / 3), queue_bytes: 8_192 } });
    await until("the bitrate goes down", async () => (await target()) < 0.5 * best);
    await network.set({});
    const low = await target();
    await until("the bitrate comes back", async () => (await target()) > 1.15 * low);
    await until("the viewer is near again", async () => (await latency()) < 1_000);
    await player.plays(30);
  });

  it("sends a keyframe when a viewer needs one", async (stage) => {
    const { page, stream } = await studio(stage, here.address);
    await goLive(page);
    const watch = await KeyframeWatch.open(page, stream);
    // The studio sends one every two seconds by itself: ask for more than that.
    await watch.asks(6, 500);
    expect(await watch.shortest(), "milliseconds between two keyframes").toBeLessThan(1_500);
  });

  it("shows in a monitor what viewers see, without sound", async (stage) => {
    const { page } = await studio(stage, here.address);
    await goLive(page);
    await page.click("#monitor");
    const { Player } = await import("./harness/player.ts");
    const player = new Player(page);
    await page.waitForFunction(() => customElements.get("framewire-player"));
    await player.plays();
    expect(await player.do((element) => element.muted)).toBe(true);
  });

  it("keeps going when the picture changes its size", async (stage) => {
    const { page, stream } = await studio(stage, here.address);
    await goLive(page);
    const player = await stage.embed(here.address, stream);
    await player.plays();
    await page.selectOption("#height", "480");
    await until("the viewer sees the new size", () => player.do(({ media }) => media.nativeEl.videoHeight === 480));
    await player.plays();
  });

  it("tells what is missing where WebCodecs is", async (stage) => {
    const page = await stage.open(`http://${local(here.address)}/studio`, {
      init: () => Object.defineProperty(globalThis, "VideoEncoder", { value: undefined }),
    });
    expect(await page.locator("#missing").textContent()).toContain("WebCodecs");
    expect(await page.locator("#go").isDisabled()).toBe(true);
  });

  it("tells that a secure context is missing", async (stage) => {
    const page = await stage.open(`http://${local(here.address)}/studio`, {
      init: () => Object.defineProperty(globalThis, "isSecureContext", { value: false }),
    });
    expect(await page.locator("#missing").textContent()).toContain("HTTPS");
  });

  it("tells that the camera was not allowed", async (stage) => {
    const page = await stage.open(`http://${local(here.address)}/studio`, {
      init: () => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "NotAllowedError"));
      },
    });
    await page.click("#use-camera");
    await until("the refusal is shown", async () => (await notice(page))?.includes("may not use the camera"));
  });

  it("has no fault that axe finds, in light and dark, idle and live", async (stage) => {
    const { page } = await studio(stage, here.address);
    const check = async () => {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await objections(page), colorScheme).toEqual([]);
      }
    };
    await check();
    await goLive(page);
    await check();
  });
});

describe("what a page may ask for", () => {
  it("is a camera in the studio alone", async () => {
    const policy = async (path: string) =>
      (await fetch(`http://${here.address}${path}`)).headers.get("permissions-policy") ?? "";
    expect(await policy("/studio")).toContain("camera=(self)");
    for (const path of ["/", "/watch/demo", "/embed/demo"]) expect(await policy(path)).toContain("camera=()");
  });
});
