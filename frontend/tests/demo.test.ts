import { TrackKind } from "@framewire/schema/media";
import { describe, expect } from "vitest";
import { startNetwork } from "../stage/programs.js";
import { setting } from "./harness/setting.ts";
import type { Stage } from "./harness/stage.ts";
import { Tap } from "./harness/tap.ts";
import { until } from "./harness/until.ts";

const here = setting({ serve: ["--source", "demo=demo:"] });
const { it } = here;

/** The demo with sound, through a tap. */
async function tapped(stage: Stage) {
  const tap = stage.closes(await Tap.to(here.address));
  const player = await stage.embed(tap.address, "demo", "?muted=0");
  await player.plays();
  return { tap, player };
}

describe("the demo", () => {
  it("plays with pictures that change and sound that is decoded", async (stage) => {
    const player = await stage.embed(here.address, "demo", "?muted=0");
    await player.plays(30);
    const before = await player.picture();
    expect(Math.max(...before), "the brightest part of the picture").toBeGreaterThan(60);
    await until("another picture", async () => (await player.picture()).some((value, i) => value !== before[i]));
    await player.sounds();
    expect(await player.do(({ videoWidth, streamType }) => ({ videoWidth, streamType }))).toEqual({
      videoWidth: expect.toSatisfy((width: number) => width > 0),
      streamType: "live",
    });
  });
});

describe("commands", () => {
  it("pausing stops all media on the wire, and playing brings it back", async (stage) => {
    const { tap, player } = await tapped(stage);
    await player.do((element) => element.pause());
    await player.reaches("paused");
    const from = await tap.settled();
    expect(tap.media("video", from), "bytes of pictures while paused").toBe(0);
    expect(tap.media("audio", from), "bytes of sound while paused").toBe(0);
    expect(await player.do((element) => element.media.nativeEl.paused)).toBe(true);

    const resumed = tap.passed.length;
    await player.do((element) => element.play());
    await player.plays();
    expect(tap.media("video", resumed)).toBeGreaterThan(0);
    expect(tap.sockets, "connections").toBe(1);
  });

  it("muting stops sound on the wire while pictures go on, and unmuting brings it back", async (stage) => {
    const { tap, player } = await tapped(stage);
    await player.sounds();
    await player.do((element) => void (element.muted = true));
    await until("the server's word that it is muted", () => player.do((element) => element.muted));
    const from = await tap.settled();
    expect(tap.media("audio", from), "bytes of sound while muted").toBe(0);
    expect(tap.media("video", from)).toBeGreaterThan(0);
    await player.plays();

    const heard = tap.passed.length;
    await player.do((element) => void (element.muted = false));
    await until("sound on the wire", () => tap.media("audio", heard) > 0);
    await player.sounds();
    await player.plays();
  });

  it("a volume of 0 stops sound on the wire", async (stage) => {
    const { tap, player } = await tapped(stage);
    await player.do((element) => void (element.volume = 0));
    await until("the server's word that the volume is 0", () => player.do((element) => element.volume === 0));
    expect(tap.media("audio", await tap.settled())).toBe(0);
  });

  it("the volume that is shown changes when the server has agreed, not before", async (stage) => {
    const network = stage.closes(await startNetwork(here.address));
    const tap = stage.closes(await Tap.to(network.address));
    const player = await stage.embed(tap.address, "demo", "?muted=0");
    await player.plays();
    const shown = () =>
      player.do((element) => ({
        volume: element.volume,
        element: element.media.nativeEl.volume,
        slider: element.shadowRoot?.querySelector("media-volume-range")?.getAttribute("mediavolume"),
      }));
    await network.set({ up: { hold: true } });
    await player.do((element) => void (element.volume = 0.25));
    const asked = () => tap.sent("command").find(({ body }) => body.case === "setVolume");
    const { id } = await until("the command to be sent", asked);
    expect(await shown(), "with the command under way").toEqual({ volume: 1, element: 1, slider: "1" });
    expect(tap.received("commandResult").some((result) => result.id === id)).toBe(false);

    await network.set({});
    await until("the volume to be shown", async () => (await shown()).volume === 0.25);
    await until("the slider to follow", async () => (await shown()).slider === "0.25");
    const result = tap.received("commandResult").find((result) => result.id === id);
    expect(result?.outcome.case).toBe("done");
  });

  it("choosing picture or sound alone leaves out the other on the wire, and plays on", async (stage) => {
    const { tap, player } = await tapped(stage);
    const [started] = tap.received("streamStarted");
    const video = started?.tracks.find(({ kind }) => kind === TrackKind.VIDEO)?.id ?? 0;
    const audio = started?.tracks.find(({ kind }) => kind === TrackKind.AUDIO)?.id ?? 0;
    const select = (tracks: { video: number; audio: number }) =>
      player.do((element, to) => element.selectTracks(to), tracks);
    const goesOn = async () => {
      const before = await player.do((element) => element.currentTime);
      await until("time to go on", () => player.do((element, from) => element.currentTime > from + 2, before));
    };

    await select({ video, audio: 0 });
    let from = await tap.settled();
    await goesOn();
    await player.plays(30);
    expect(tap.media("audio", from), "bytes of sound").toBe(0);
    expect(await player.do((element) => element.media.nativeEl.volume), "what stands in for sound").toBe(0);

    await select({ video: 0, audio });
    from = await tap.settled();
    await goesOn();
    await player.sounds();
    expect(tap.media("video", from), "bytes of pictures").toBe(0);
    await until("sound that is heard", () => player.do((element) => element.media.nativeEl.volume === 1));

    await select({ video, audio });
    await player.plays(30);
    expect(await player.recoveries("rebuild"), "new MediaSources").toEqual([]);
    expect(tap.sockets, "connections").toBe(1);
  });

  it("seeking back plays the past, and going live the present, on the same connection", async (stage) => {
    const { tap, player } = await tapped(stage);
    await until("six seconds to seek in", () =>
      player.do(({ seekable }) => seekable.length > 0 && seekable.end(0) - seekable.start(0) > 6),
    );
    const target = await player.do((element) => {
      const time = element.seekable.end(0) - 4;
      element.currentTime = time;
      return time;
    });
    await until("the end of the seek", async () => (await player.seen("seeked")).length > 0);
    await player.plays();
    const behind = await player.do((element) => ({
      isLive: element.isLive,
      behind: element.seekable.end(0) - element.currentTime,
      time: element.currentTime,
    }));
    expect(behind.isLive).toBe(false);
    expect(behind.time).toBeGreaterThanOrEqual(target - 0.5);
    expect(behind.behind, "seconds behind live").toBeGreaterThan(2);

    await player.do((element) => element.goLive());
    await until("the live edge", () =>
      player.do((element) => element.isLive && element.seekable.end(0) - element.currentTime < 1.5),
    );
    await player.plays();
    expect(tap.sockets, "connections").toBe(1);
  });

  it("a value out of bounds is answered with an error that names the field, and changes nothing", async (stage) => {
    const { player } = await tapped(stage);
    const refusal = await player.do((element) => {
      const refused = new Promise<unknown>((resolve) =>
        element.addEventListener("commanderror", (event) => {
          const { code, field } = (event as CustomEvent<{ code: string; field: string }>).detail;
          resolve({ code, field });
        }),
      );
      element.setAttribute("latency", "3600000");
      return refused;
    });
    expect(refusal).toEqual({ code: "invalid_argument", field: expect.stringContaining("latency") });
    await player.plays();
  });

  it("a latency that is wished for is told to the server and kept to", async (stage) => {
    const tap = stage.closes(await Tap.to(here.address));
    const player = await stage.embed(tap.address, "demo", "?latency=900");
    await player.plays();
    expect(tap.sent("hello")[0]?.settings?.latencyTargetMs).toBe(900);
    await until("a buffer that is aimed at", async () => ((await player.stats())?.target ?? 0) >= 900);
    await player.do((element) => element.setAttribute("latency", "auto"));
    await until("the automatic target", async () => ((await player.stats())?.target ?? 900) < 900);
    expect(await player.do((element) => element.latencyTarget)).toBe(0);
    expect(tap.sockets, "connections").toBe(1);
  });

  it("stopping ends the stream with its reason, and play starts it again", async (stage) => {
    const { tap, player } = await tapped(stage);
    await player.do((element) => element.stop());
    expect(await player.reaches("ended")).toMatchObject({ reason: "stopped" });
    expect(tap.media("video", await tap.settled())).toBe(0);
    await player.do((element) => element.play());
    await player.plays();
    expect(tap.sockets, "connections").toBe(1);
  });
});
