import type { Page } from "playwright-core";
import { describe, expect } from "vitest";
import { type DirectiveOutcome, direct } from "./harness/admin.ts";
import { setting } from "./harness/setting.ts";
import { until } from "./harness/until.ts";

const here = setting({ serve: ["--source", "demo=demo:", "--source", "other=demo:"] });
const { it } = here;

describe("the player's controls", () => {
  it("are worked by the keys of video sites", async (stage) => {
    const player = await stage.embed(here.address, "demo", "?muted=0");
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
    const player = await stage.embed(here.address, "demo", "?muted=0");
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
      const player = await stage.embed(here.address, "nobody", "", { reducedMotion });
      await player.reaches("waiting");
      await until("the ring", () => player.do((e) => e.shadowRoot?.querySelector(".ring")?.checkVisibility() === true));
      const animations = await player.do((e) => e.shadowRoot?.getAnimations().length ?? 0);
      expect(animations > 0).toBe(moving);
    });
  }

  it("the statistics show figures that are true", async (stage) => {
    const player = await stage.embed(here.address, "demo", "?muted=0");
    await player.plays(40);
    await player.do((element) => element.setAttribute("stats", ""));
    const panel = (player.page as Page).locator('framewire-player [part="stats"]');
    const text = await until("the codecs", async () => {
      const shown = await panel.textContent();
      return shown && /H\.264/.test(shown) && shown;
    });
    const { width, height } = await player.do(({ videoWidth: width, videoHeight: height }) => ({ width, height }));
    expect(text).toContain(`${width} × ${height}`);
    for (const figure of [
      /Latency\s*\d+ ms/,
      /Buffer\s*\d+ ms \(aims at \d+ ms\)/,
      /Playback rate\s*[01]\.\d\d×/,
      /Jitter, round trip\s*\d+ ms, \d+ ms/,
      /Bitrate\s*[\d.]+ [Mk]bit\/s/,
      /Frames\s*\d+ \/s, \d+ of \d+ dropped/,
      /Codecs\s*H\.264 \(avc1\.\w+\), AAC \(mp4a\.40\.2\)/,
      /Stalls\s*\d+, \d+ ms in all/,
      /Sent\s*everything/,
      /Reconnects\s*0/,
      /Server\s*framewire\S* \S+ \(worker\)/,
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
    const player = await stage.embed(here.address, "demo", "?muted=1");
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

describe("what an operator asks of players", () => {
  it("is obeyed and answered", async (stage) => {
    const player = await stage.embed(here.address, "demo", "?muted=0");
    await player.plays();
    const ask = async (directive: object, what: string, probe: Parameters<typeof player.do<boolean, undefined>>[0]) => {
      const outcomes: DirectiveOutcome[] = await direct(here.address, "demo", directive);
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
