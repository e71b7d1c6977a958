import type { Page } from "playwright-core";
import { describe, expect } from "vitest";
import { serve, startBrowser, startNetwork } from "../stage/programs.js";
import { Player } from "./harness/player.ts";
import { setting } from "./harness/setting.ts";
import { brokenConnection, Stage } from "./harness/stage.ts";
import { Tap } from "./harness/tap.ts";
import { until } from "./harness/until.ts";

const demo = ["--origin", "*", "--source", "demo=demo:"];
const here = setting({ serve: demo });
const { it } = here;

/** The demo behind a network that can be made bad. */
async function networked(stage: Stage, query = "?muted=0") {
  stage.allow(brokenConnection);
  const network = stage.closes(await startNetwork(here.address));
  const tap = stage.closes(await Tap.to(network.address));
  const player = await stage.embed(tap.address, "demo", query);
  await player.plays();
  return { network, tap, player };
}

describe("a connection that breaks", () => {
  it("is made anew after a cut, with the settings of before, and plays on", async (stage) => {
    const { network, tap, player } = await networked(stage);
    await player.do((element) => void (element.volume = 0.5));
    await until("the volume", () => player.do((element) => element.volume === 0.5));
    await player.do((element) => element.setAttribute("latency", "400"));
    await until("the latency", () => player.do((element) => element.latencyTarget === 400));
    await player.do((element) => element.selectTracks({ audio: 0 }));
    await network.cut();
    await until("the recovery", async () => (await player.recoveries("reconnect")).length === 1);
    await player.plays();
    expect(tap.sockets, "connections").toBe(2);
    expect(tap.sent("hello").at(-1)?.settings).toMatchObject({ volume: 0.5, muted: false, latencyTargetMs: 400 });
    await until("pictures alone", () => tap.received("sessionState").at(-1)?.audioTrackId === 0);
    expect(tap.sent("hello").at(-1)?.resume?.stream).toBe("demo");
    expect((await player.stats())?.reconnects).toBe(1);
    expect(await player.do((element) => element.volume)).toBe(0.5);
  });

  it("is given up when nothing comes for long, with the reason shown, and made anew", async (stage) => {
    const { network, player } = await networked(stage);
    await network.set({ down: { hold: true } });
    expect(await player.reaches("reconnecting")).toMatchObject({ reason: "silent" });
    await until("the text on the page", () =>
      player.do((element) => /server has fallen silent|cannot be reached/.test(element.shadowRoot?.textContent ?? "")),
    );
    await network.set({});
    await player.plays();
    expect((await player.recoveries("reconnect")).length).toBeGreaterThan(0);
  });

  it("keeps trying while the server is away, and plays when another one is there", async (stage) => {
    stage.allow(brokenConnection);
    const first = await serve(demo);
    const tap = stage.closes(await Tap.to(first.address));
    const player = await stage.embed(tap.address, "demo", "?muted=0");
    await player.plays();
    const shown = tap.received("sessionState").at(-1)?.videoTrackId;
    expect(shown, "the track of pictures").toBeGreaterThan(0);
    await player.do((element) => element.selectTracks({ video: 0 }));
    await first.stop();
    expect(await player.reaches("reconnecting")).toMatchObject({
      reason: expect.stringMatching(/shutting_down|restarting/),
    });
    await until("a second attempt", async () => {
      const status = await player.status();
      return status.kind === "reconnecting" && status.attempt > 2;
    });
    const gone = tap.passed.length;
    stage.closes(await serve(demo, { listen: first.address }));
    await until("sound alone, as before", () => tap.received("sessionState", gone).at(-1)?.videoTrackId === 0);
    await player.sounds();
    await player.do((element, video) => element.selectTracks({ video }), shown ?? 0);
    await player.plays();
    expect((await player.recoveries("reconnect")).length).toBeGreaterThan(0);
  });

  it("stays paused when it breaks while paused", async (stage) => {
    const { network, tap, player } = await networked(stage);
    await player.do((element) => element.pause());
    await player.reaches("paused");
    await network.cut();
    await until("the recovery", async () => (await player.recoveries("reconnect")).length === 1);
    await player.reaches("paused");
    const from = await tap.settled();
    expect(tap.media("video", from) + tap.media("audio", from), "bytes of media while paused").toBe(0);
    await player.do((element) => element.play());
    await player.plays();
  });
});

describe("a machine that sleeps, or changes its network", () => {
  it("is live again at once when it wakes, and tells what was missed", async (stage) => {
    const own = stage.closes(await startBrowser());
    const player = await new Stage(own).embed(here.address, "demo", "?muted=0");
    await player.plays();
    const asleep = await (await own.newBrowserCDPSession()).send("SystemInfo.getProcessInfo");
    const pages = asleep.processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
    // All of the page stands still, its worker too, while the server goes on.
    for (const id of pages) process.kill(id, "SIGSTOP");
    try {
      await new Promise((resolve) => setTimeout(resolve, 4_000));
    } finally {
      for (const id of pages) process.kill(id, "SIGCONT");
    }
    await until("something that tells of it", async () => {
      const { gaps = [], recoveries = [] } = (await player.stats()) ?? {};
      return gaps.length > 0 || recoveries.some(({ action }) => action === "jump" || action === "reconnect");
    });
    await player.plays();
    await until("the live edge", () =>
      player.do((element) => element.isLive && element.seekable.end(0) - element.currentTime < 1.5),
    );
    expect(await player.recoveries("rebuild")).toEqual([]);
  });

  it("connects as soon as there is a network again, however long it meant to wait", async (stage) => {
    const { network, tap, player } = await networked(stage);
    await network.set({ refuse: true });
    await network.cut();
    const retryAt = await until("a long wait for the next attempt", async () => {
      const status = await player.status();
      return status.kind === "reconnecting" && status.retryAt - Date.now() > 1_500 && status.retryAt;
    });
    await network.set({});
    const before = tap.sockets;
    const context = (player.page as Page).context();
    await context.setOffline(true);
    await context.setOffline(false);
    await until("another attempt", () => tap.sockets > before);
    expect(Date.now(), "the time of it").toBeLessThan(retryAt);
    await player.plays();
    expect((await player.recoveries("reconnect")).length).toBe(1);
  });
});

describe("a page that nobody looks at", () => {
  /** Headless pages are never hidden: this says what a hidden one would. */
  const setHidden = (player: Player, hidden: boolean) =>
    player.do((_, value) => {
      Object.defineProperty(document, "hidden", { configurable: true, value });
      Object.defineProperty(document, "visibilityState", { configurable: true, value: value ? "hidden" : "visible" });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);

  it("costs the server no media while hidden and silent, and is live at once when seen", async (stage) => {
    const { tap, player } = await networked(stage, "?muted=1");
    await setHidden(player, true);
    await until("the player to rest", () => tap.sent("command").some(({ body }) => body.case === "pause"));
    const from = await tap.settled();
    expect(tap.media("video", from), "bytes of pictures while hidden").toBe(0);
    await setHidden(player, false);
    await player.plays();
    expect(await player.do((element) => element.isLive)).toBe(true);
    await until("the live edge", () => player.do((element) => element.seekable.end(0) - element.currentTime < 1.5));
    expect(tap.sockets, "connections").toBe(1);
  });

  it("rests when it falls silent while hidden, and stays paused when it is paused there", async (stage) => {
    const { tap, player } = await networked(stage);
    await setHidden(player, true);
    await until("a report that it is hidden", () => tap.sent("playbackReport").some(({ visible }) => !visible));
    await tap.settled();
    const pauses = () => tap.sent("command").filter(({ body }) => body.case === "pause").length;
    await player.do((element) => {
      element.muted = true;
    });
    await until("the player to rest", () => pauses() === 1);
    await player.do((element) => element.pause());
    await until("the viewer's pause", () => pauses() === 2);
    await setHidden(player, false);
    await tap.settled();
    expect(await player.do((element) => element.paused)).toBe(true);
    expect(tap.media("video", await tap.settled()), "bytes of pictures").toBe(0);
  });

  it("goes on sounding while hidden when it is heard", async (stage) => {
    const { tap, player } = await networked(stage);
    await setHidden(player, true);
    await until("a report that it is hidden", () => tap.sent("playbackReport").some(({ visible }) => !visible));
    const from = await tap.settled();
    await tap.settled();
    expect(tap.media("audio", from)).toBeGreaterThan(0);
    await player.sounds();
  });

  it("goes on while hidden when its picture is in a window of its own", async (stage) => {
    const { tap, player } = await networked(stage, "?muted=1");
    const page = player.page as Page;
    const inWindow = () => page.evaluate(() => document.pictureInPictureElement?.localName);
    await page.locator("framewire-player media-controller").focus();
    await page.keyboard.press("p");
    await until("picture in picture", async () => (await inWindow()) === "framewire-player");
    await setHidden(player, true);
    await player.plays();
    expect(tap.media("video", await tap.settled()), "bytes of pictures").toBeGreaterThan(0);
    await page.keyboard.press("p");
    await until("the picture back in the page", async () => (await inWindow()) === undefined);
    await until("the player to rest", () => tap.sent("command").some(({ body }) => body.case === "pause"));
  });

  it("opens nothing in a tab that was never seen, and plays when it is", async (stage) => {
    const tap = stage.closes(await Tap.to(here.address));
    const page = await stage.open(`http://${tap.address}/embed/demo`, {
      init: () => Object.defineProperty(document, "hidden", { configurable: true, value: true }),
    });
    const player = new Player(page);
    await player.reaches("connecting");
    expect(tap.sockets, "connections").toBe(0);
    await setHidden(player, false);
    await player.plays();
  });
});

describe("autoplay that is refused", () => {
  it("plays without sound, says so, and sounds after a click", async (stage) => {
    const strict = stage.closes(await startBrowser({ autoplay: false }));
    const page = await strict.newPage();
    await page.addInitScript(() => {
      const tell = () => console.log("muted by the browser");
      const ofMuting = (event: Event) => (event as CustomEvent<{ action: string }>).detail.action === "mute" && tell();
      document.addEventListener("recovery", ofMuting, true);
    });
    // Whatever a test evaluates in a page counts as a click there: until the refusal it only listens.
    const refused = page.waitForEvent("console", (message) => message.text() === "muted by the browser");
    await page.goto(`http://${here.address}/embed/demo?muted=0`);
    await refused;
    const player = new Player(page);
    await page.evaluate(() => void (window.seen = []));
    await player.plays();
    expect(await player.do(({ muted, mutedByBrowser }) => ({ muted, mutedByBrowser }))).toEqual({
      muted: true,
      mutedByBrowser: true,
    });
    expect((await player.stats())?.recoveries.map(({ action }) => action)).toContain("mute");
    await page.getByRole("button", { name: "Turn sound on" }).click();
    await until("sound", () => player.do((element) => !element.muted && !element.media.nativeEl.muted));
    await player.sounds();
  });

  it("asks for a click where even silent pictures are refused, fetches nothing until then, and plays after it", async (stage) => {
    const tap = stage.closes(await Tap.to(here.address));
    const page = await stage.open(`http://${tap.address}/embed/demo`, {
      init: () => {
        let clicked = false;
        addEventListener("click", () => (clicked = true), true);
        const { play } = HTMLMediaElement.prototype;
        HTMLMediaElement.prototype.play = function (this: HTMLMediaElement) {
          if (clicked) return play.call(this);
          return Promise.reject(new DOMException("not without a click", "NotAllowedError"));
        };
      },
    });
    const player = new Player(page);
    await player.reaches("blocked");
    expect(tap.media("video", await tap.settled()), "bytes of pictures while blocked").toBe(0);
    // The controls have a button of that name, too; this is the one over the picture.
    await page.locator('[part="play-overlay"]').click();
    await player.plays();
  });
});

declare global {
  interface Window {
    /** How many of the next appends of pictures are spoilt, and how. */
    spoil?: { count: number; how: "drop" | "garbage" | "pictures" | "quota" };
  }
}

/** Runs in the page: spoils what the player appends, when asked to. */
function spoiler(): void {
  const { append } = { append: SourceBuffer.prototype.appendBuffer };
  const { addSourceBuffer } = MediaSource.prototype;
  const pictures = new WeakSet<SourceBuffer>();
  MediaSource.prototype.addSourceBuffer = function (this: MediaSource, type: string) {
    const buffer = addSourceBuffer.call(this, type);
    if (type.startsWith("video/")) pictures.add(buffer);
    return buffer;
  };
  SourceBuffer.prototype.appendBuffer = function (this: SourceBuffer, data: BufferSource) {
    const { spoil } = window;
    if (!spoil || spoil.count === 0 || !pictures.has(this)) return append.call(this, data);
    spoil.count--;
    const bytes = new Uint8Array(
      data instanceof ArrayBuffer ? data : data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength),
    );
    switch (spoil.how) {
      case "quota":
        throw new DOMException("the buffer is full", "QuotaExceededError");
      case "drop": // an append that brings nothing
        return append.call(this, new Uint8Array());
      case "garbage":
        return append.call(this, new Uint8Array(bytes.length).fill(255));
      case "pictures": // boxes stay whole, what is in mdat does not
        return append.call(this, bytes.fill(255, new DataView(bytes.buffer).getUint32(0) + 12));
    }
  };
}

describe("media that breaks in the browser", () => {
  /** The element on the page's own thread, where a test can reach what it appends to. */
  async function spoilt(stage: Stage) {
    const page = await stage.open(here.site.element(here.address, "demo", "autoplay muted no-worker"), {
      init: spoiler,
    });
    const player = new Player(page);
    await player.plays();
    expect((await player.stats())?.thread).toBe("page");
    const spoil = (how: "drop" | "garbage" | "pictures" | "quota", count = 1) =>
      page.evaluate((wish) => void (window.spoil = wish), { how, count });
    return { player, spoil };
  }

  it("a hole is stepped over, and named", async (stage) => {
    const { player, spoil } = await spoilt(stage);
    await spoil("drop", 15);
    const [recovery] = await until("the step", async () => {
      const steps = await player.recoveries("step_over_hole");
      return steps.length > 0 && steps;
    });
    const [, from, to] = /^nothing was buffered from ([\d.]+) to ([\d.]+) s$/.exec(recovery?.cause ?? "") ?? [];
    expect(Number(to), `the end of the hole that began at ${from} s`).toBeGreaterThan(Number(from));
    await until("the picture behind the hole", () =>
      player.do(({ currentTime }, end) => currentTime > end + 0.5, Number(to)),
    );
    await player.plays();
    expect((await player.recoveries("step_over_hole")).length).toBe(1);
    for (const more of ["rebuild", "unfreeze", "reconnect"] as const) expect(await player.recoveries(more)).toEqual([]);
  });

  it("after garbage the MediaSource is made anew, with the connection kept", async (stage) => {
    const { player, spoil } = await spoilt(stage);
    await spoil("garbage");
    await until("the recovery", async () => (await player.recoveries("rebuild")).length > 0);
    await player.plays();
    expect(await player.recoveries("reconnect")).toEqual([]);
  });

  it("pictures that cannot be decoded do not end it", async (stage) => {
    const { player, spoil } = await spoilt(stage);
    // The second one spoils the first attempt to repair it.
    await spoil("pictures", 2);
    await until("the pictures to be spoilt", () => player.page.evaluate(() => window.spoil?.count === 0));
    await until("the recovery", async () => (await player.recoveries("rebuild")).length > 0);
    await player.plays();
    expect(await player.recoveries("reconnect")).toEqual([]);
  });

  it("a full buffer is emptied behind the playhead, and nothing is lost", async (stage) => {
    const { player, spoil } = await spoilt(stage);
    await until("some seconds behind the playhead", () =>
      player.do(({ buffered, currentTime }) => buffered.length > 0 && currentTime - buffered.start(0) > 3),
    );
    const before = await player.do(({ buffered }) => buffered.start(0));
    await spoil("quota");
    const [recovery] = await until("the recovery", async () => {
      const recoveries = await player.recoveries("trim");
      return recoveries.length > 0 && recoveries;
    });
    expect(recovery?.cause).toContain("QuotaExceededError");
    await player.plays();
    expect(await player.do(({ buffered }) => buffered.start(0))).toBeGreaterThan(before);
    expect(await player.recoveries("rebuild")).toEqual([]);
    expect(await player.recoveries("reconnect")).toEqual([]);
  });
});
