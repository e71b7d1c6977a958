import type { Recovery } from "@framewire/player";
import { describe, expect } from "vitest";
import { startNetwork } from "../stage/programs.js";
import { clip } from "./harness/ffmpeg.ts";
import { setting } from "./harness/setting.ts";
import { until } from "./harness/until.ts";

const here = setting({
  async serve(files) {
    await clip(files.path("small.mp4"), "h264", 4);
    return ["--origin", "*", "--source", "demo=demo:", "--source", `small=${files.path("small.mp4")}`];
  },
});
const { it } = here;

describe("players under load", () => {
  it("one plays on, with sound, while the page is busy seven tenths of the time", async (stage) => {
    const player = await stage.embed(here.address, "small", "?muted=0", {
      init: () => {
        setInterval(() => {
          const end = performance.now() + 35;
          while (performance.now() < end);
        }, 50);
      },
    });
    await player.plays();
    const started = (await player.seen()).length;
    await player.plays(100);
    await player.sounds();
    const since = (await player.seen()).slice(started);
    const stood = since.filter(({ type, detail }) => {
      if (type !== "recovery") return type === "gap"; // of standstills that can be seen, or of media that was not sent
      return ["stall", "unfreeze", "rebuild"].includes((detail as Recovery).action);
    });
    expect(stood, "what held it up").toEqual([]);
    expect((await player.stats())?.reconnects).toBe(0);
  });

  it("the distance from live grows on an uneven network, and shrinks when it is even again", async (stage) => {
    const network = stage.closes(await startNetwork(here.address));
    const player = await stage.embed(network.address, "small", "?muted=0");
    await player.plays();
    const target = async () => (await player.stats())?.target ?? Number.NaN;
    const near = await target();
    await network.set({ down: { jitter_ms: 250, stall_probability: 0.1, stall_ms: 250 } });
    await until("a greater distance", async () => (await target()) > near + 100);
    const far = await target();
    await network.set({});
    await until("a smaller one again", async () => (await target()) < (near + far) / 2, 60_000);
    await player.plays();
  });

  it("a link squeezed below the bitrate leaves a gap that is told, and live comes back", async (stage) => {
    const network = stage.closes(await startNetwork(here.address));
    const player = await stage.embed(network.address, "demo", "?muted=0");
    await player.plays();
    const bitrate = (await player.stats())?.bitrate ?? 0;
    expect(bitrate).toBeGreaterThan(0);
    await network.set({ down: { rate_bytes_per_second: Math.round(bitrate / 8 / 4) } });
    await until("a gap", async () => (await player.seen("gap")).length > 0);
    await network.set({});
    await player.plays(30);
    await until("the live edge", () =>
      player.do((element) => element.isLive && element.seekable.end(0) - element.currentTime < 1.5),
    );
    expect((await player.stats())?.gaps.length).toBeGreaterThan(0);
    expect(await player.recoveries("reconnect")).toEqual([]);
  });

  it("a link that carries sound alone is heard on, under the last picture", async (stage) => {
    const network = stage.closes(await startNetwork(here.address));
    const player = await stage.embed(network.address, "demo", "?muted=0");
    await player.plays();
    await network.set({ down: { rate_bytes_per_second: 25_000, queue_bytes: 8_192 } });
    const thinned = async () => /only/.test((await player.stats())?.degradation ?? "");
    await until("pictures to be left out", thinned);
    await until("sound alone", async () => (await player.stats())?.degradation === "audio_only");
    const before = await player.do((element) => element.currentTime);
    await until("time to go on", () => player.do((element, from) => element.currentTime > from + 4, before));
    await player.sounds();
    expect(await thinned(), "with pictures left out still").toBe(true);
    expect((await player.stats())?.reconnects).toBe(0);
  });

  it("what was played is removed, so that memory stays flat", async (stage) => {
    const player = await stage.embed(here.address, "small");
    await player.plays();
    const first = await player.do(({ buffered }) => buffered.start(0));
    await until("the first of the buffer to be removed", () =>
      player.do(({ buffered }, was) => buffered.length > 0 && buffered.start(0) > was + 1, first),
    );
    const behind = await player.do(({ buffered, currentTime }) => currentTime - buffered.start(0));
    expect(behind, "seconds kept behind the playhead").toBeLessThan(20);
    await player.plays();
  });
});
