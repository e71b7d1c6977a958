import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { root } from "../stage/programs.js";
import { Player } from "./harness/player.ts";
import { setting } from "./harness/setting.ts";
import { brokenConnection } from "./harness/stage.ts";
import { until } from "./harness/until.ts";

// Pages of localhost may embed players; those of 127.0.0.1, the same site by another name, may not.
const here = setting({ serve: ["--origin", "localhost:*", "--source", "demo=demo:"] });
const { it } = here;
const brokenPolicy = /Content Security Policy/;

describe("the frame that oEmbed tells", () => {
  const told = async () => {
    const url = encodeURIComponent(`http://${here.address}/watch/demo`);
    const response = await fetch(`http://${here.address}/oembed?url=${url}&format=json`);
    return ((await response.json()) as { html: string }).html;
  };

  it("plays on a page of an origin that the server allows", async (stage) => {
    const page = await stage.open(here.site.page(await told(), "localhost"));
    const frame = await until("the frame", () => page.frames().find((frame) => frame.url().includes("/embed/")));
    await new Player(frame).plays();
  });

  it("is refused by the browser elsewhere, as the server told it", async (stage) => {
    stage.allow(/frame-ancestors/);
    const page = await stage.open("about:blank");
    const refused = page.waitForEvent("console", (message) => /frame-ancestors/.test(message.text()));
    await page.goto(here.site.page(await told(), "127.0.0.1"));
    await refused;
    const [, frame] = page.frames();
    expect(await frame?.locator("framewire-player").count()).toBe(0);
  });
});

describe("a player without a worker", () => {
  it("plays in the page where the page's policy forbids workers", async (stage) => {
    stage.allow(brokenPolicy);
    const url = here.site.element(here.address, "demo", "autoplay muted", "localhost", "worker-src 'none'");
    const player = new Player(await stage.open(url));
    await player.plays();
    expect((await player.stats())?.thread).toBe("page");
  });

  it("plays in the page where the worker stays silent", async (stage) => {
    const player = await stage.embed(here.address, "demo", "", {
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
    await page.goto(here.site.element(here.address, "demo", "autoplay muted", "localhost", "worker-src 'none'"));
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
      here.site.page(
        `<style>${style}</style><script type="module" src="http://${here.address}/player.js"></script>
         <framewire-player src="ws://${here.address}/ws?stream=demo" autoplay muted><b slot="overlay">Ours</b></framewire-player>`,
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

describe("a page of another origin", () => {
  it("plays by script tag and element where the server allows its origin", async (stage) => {
    const url = here.site.element(here.address, "demo", "autoplay muted", "localhost");
    const player = new Player(await stage.open(url));
    await player.plays();
    expect((await player.stats())?.thread).toBe("worker");
  });

  it("plays with the strictest policy that the documentation tells", async (stage) => {
    const guide = readFileSync(join(root, "docs", "embed.md"), "utf8");
    const [, told] = /```\n(script-src[\s\S]*?)```/.exec(guide) ?? [];
    if (!told) throw new Error("docs/embed.md tells no policy");
    const allowed = told
      .replace("https://video.example.com", `http://${here.address}`)
      .replace("wss://video.example.com", `ws://${here.address}`);
    const policy = `default-src 'none'; ${allowed.replaceAll("\n", " ")}`;
    const player = new Player(
      await stage.open(here.site.element(here.address, "demo", "autoplay muted", "localhost", policy)),
    );
    await player.plays();
    expect((await player.stats())?.thread).toBe("worker");
    await until("the controls", () => player.do(({ clientHeight }) => clientHeight > 300));
  });

  it("is refused by the server where it does not, and the player says so", async (stage) => {
    const player = new Player(await stage.open(here.site.element(here.address, "demo", "autoplay muted", "127.0.0.1")));
    expect(await player.reaches("failed")).toMatchObject({ reason: "origin_refused" });
    await until("words on the page", () =>
      player.do((element) => /may not play here/.test(element.shadowRoot?.textContent ?? "")),
    );
  });

  it("plays in a frame, with the options of the address", async (stage) => {
    const url = here.site.page(
      `<iframe src="http://${here.address}/embed/demo?muted=0&controls=0&latency=700" allow="autoplay" title="demo"
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

  it("is given working code by the dialog of the watch page, whose buttons copy what it shows", async (stage) => {
    const page = await stage.open(`http://${here.address}/watch/demo`, {
      permissions: ["clipboard-read", "clipboard-write"],
    });
    await new Player(page).plays();
    await page.getByRole("button", { name: "Share and embed" }).click();
    const dialog = page.getByRole("dialog");
    const copied = async (what: string) => {
      await dialog.getByRole("button", { name: `Copy ${what}` }).click();
      await dialog.getByRole("button", { name: "Copied" }).first().waitFor();
      const text = await page.evaluate(() => navigator.clipboard.readText());
      expect(text, what).toBe(await dialog.getByRole("group", { name: what }).textContent());
      return text;
    };
    expect(await copied("the Link")).toBe(page.url());
    expect(await copied("the MP4 address")).toBe(`http://${here.address}/streams/demo.mp4`);
    const video = await copied("the Video tag");
    const element = await copied("the Element");
    await dialog.getByLabel("Controls").uncheck();
    await dialog.getByLabel("Latency").selectOption("500");
    const frame = await copied("the Frame");
    await page.close();

    const withVideo = await stage.open(here.site.page(video, "localhost"));
    await until("pictures in the video", () =>
      withVideo.locator("video").evaluate((video: HTMLVideoElement) => video.videoWidth > 0 && video.currentTime > 0),
    );
    await withVideo.close();

    const withElement = await stage.open(here.site.page(element, "localhost"));
    await new Player(withElement).plays();
    await withElement.close();

    const withFrame = await stage.open(here.site.page(frame, "localhost"));
    const inner = new Player(
      await until("the frame", () => withFrame.frames().find((one) => one.url().includes("/embed/"))),
    );
    await inner.plays();
    expect(await inner.do((player) => [player.latencyTarget, player.hasAttribute("nocontrols")])).toEqual([500, true]);
  });
});
