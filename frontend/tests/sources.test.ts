import { execFileSync } from "node:child_process";
import { describe, expect } from "vitest";
import { admin } from "./harness/admin.ts";
import { clip } from "./harness/ffmpeg.ts";
import type { Player } from "./harness/player.ts";
import { setting } from "./harness/setting.ts";
import { Source } from "./harness/source.ts";
import type { Stage } from "./harness/stage.ts";
import { Tap } from "./harness/tap.ts";
import { until } from "./harness/until.ts";

let camera: Source;
let late: Source;
const here = setting({
  async serve(files) {
    camera = new Source(files, "camera");
    camera.give({ encoding: "h264" });
    late = new Source(files, "late");
    late.fail();
    await clip(files.path("film.mp4"), "h264", 6);
    const sources = {
      film: `once:${files.path("film.mp4")}`,
      camera: camera.url,
      late: late.url,
      lavfi: "ffmpeg:-re -f lavfi -i testsrc2=size=320x180:rate=25",
    };
    return Object.entries(sources).flatMap(([name, url]) => ["--source", `${name}=${url}`]);
  },
});
const { it } = here;

/** A page that does not know that anything happened: what it was stays. */
async function watched(stage: Stage, stream: string) {
  const tap = stage.closes(await Tap.to(here.server.address));
  const player = await stage.embed(tap.address, stream, "?muted=0");
  await player.page.evaluate(() => void document.documentElement.setAttribute("data-loaded-once", ""));
  return { tap, player };
}

async function notReloaded(player: Player, tap: Tap): Promise<void> {
  expect(await player.page.evaluate(() => document.documentElement.hasAttribute("data-loaded-once"))).toBe(true);
  expect(tap.sockets, "connections").toBe(1);
}

/** The ffmpeg processes of the server that make pictures without sound, as only the stream lavfi does. */
function ffmpegs(): number[] {
  const list = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" });
  return list.split("\n").flatMap((line) => {
    const [, pid, parent, args = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)/.exec(line) ?? [];
    const own = Number(parent) === here.server.child.pid && /ffmpeg.*testsrc2/.test(args) && !args.includes("sine");
    return own ? [Number(pid)] : [];
  });
}

describe("a source that breaks", () => {
  it("comes back without reload when its ffmpeg is killed, on the same timeline", async (stage) => {
    const { tap, player } = await watched(stage, "lavfi");
    await player.plays();
    const before = await player.do((element) => element.currentTime);
    const pids = ffmpegs();
    expect(pids.length, "ffmpeg processes").toBeGreaterThan(0);
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await until("the viewer to be told", () => tap.received("streamWaiting").length > 0);
    await until("another epoch", () => tap.received("streamStarted").length > 1);
    await player.plays();
    expect(await player.do((element) => element.currentTime)).toBeGreaterThan(before);
    await notReloaded(player, tap);
  });

  it("shows why it waits, and plays on by itself", async (stage) => {
    const { tap, player } = await watched(stage, "camera");
    await player.plays();
    camera.fail();
    camera.kill();
    expect(await player.reaches("waiting")).toMatchObject({ reason: "source_lost" });
    await until("the text on the page", () =>
      player.do((element) => /Signal lost/.test(element.shadowRoot?.textContent ?? "")),
    );
    camera.give({ encoding: "h264" });
    await admin(here.server.address, "RestartSource", { stream: "camera" });
    await player.plays();
    await notReloaded(player, tap);
  });
});

describe("a stream that is not there yet", () => {
  it("starts by itself when its source becomes ready", async (stage) => {
    const { tap, player } = await watched(stage, "late");
    await player.reaches("waiting");
    late.give({ encoding: "h264" });
    await admin(here.server.address, "RestartSource", { stream: "late" });
    await player.plays();
    await notReloaded(player, tap);
  });

  it("starts by itself when somebody adds it", async (stage) => {
    const { tap, player } = await watched(stage, "yard/new");
    expect(await player.reaches("waiting")).toMatchObject({ reason: "unknown_stream" });
    await admin(here.server.address, "AddStream", { stream: "yard/new", source: "demo:" });
    await player.plays();
    await notReloaded(player, tap);
  });

  it("ends with its reason when it is removed", async (stage) => {
    await admin(here.server.address, "AddStream", { stream: "short", source: "demo:" });
    const { player } = await watched(stage, "short");
    await player.plays();
    await admin(here.server.address, "RemoveStream", { stream: "short" });
    expect(await player.reaches("ended")).toMatchObject({ reason: "removed" });
  });
});

describe("a source that is played once", () => {
  it("is seen to its end, and again when it is started anew", async (stage) => {
    const { tap, player } = await watched(stage, "film");
    expect(await player.reaches("ended")).toMatchObject({ reason: "finished" });
    await admin(here.server.address, "RestartSource", { stream: "film" });
    await until("the film", async () => {
      await player.do((element) => void element.play().catch(() => {}));
      return (await player.status()).kind === "playing";
    });
    expect(await player.reaches("ended")).toMatchObject({ reason: "finished" });
    await notReloaded(player, tap);
  });
});

describe("epochs go on without reconnecting", () => {
  /** Restarts the camera with another picture; waits until the player has it. */
  async function change(player: Player, picture: Parameters<Source["give"]>[0], codec: RegExp): Promise<void> {
    camera.give(picture);
    await admin(here.server.address, "RestartSource", { stream: "camera" });
    const width = Number(picture.size?.split("x")[0] ?? 320);
    await until(`${picture.encoding} ${width} pixels wide`, async () => {
      const stats = await player.stats();
      return stats && codec.test(stats.videoCodec) && (await player.do((element) => element.videoWidth)) === width;
    });
    await player.plays();
  }

  async function began(stage: Stage) {
    camera.give({ encoding: "h264" });
    await admin(here.server.address, "RestartSource", { stream: "camera" });
    const { tap, player } = await watched(stage, "camera");
    await player.plays();
    await player.sounds();
    return { tap, player };
  }

  it("with the same init segment nothing is made anew", async (stage) => {
    const { tap, player } = await began(stage);
    const started = tap.received("streamStarted").length;
    await admin(here.server.address, "RestartSource", { stream: "camera" });
    const last = await until("another epoch", () => tap.received("streamStarted")[started]);
    await player.plays();
    const tracks = (n: number) =>
      tap.received("streamStarted")[n]?.tracks.map(({ initSegment }) => Buffer.from(initSegment));
    expect(tracks(started), "init segments").toEqual(tracks(started - 1));
    expect(last.epoch).toBeGreaterThan(tap.received("streamStarted")[0]?.epoch ?? 0);
    expect(await player.recoveries("rebuild")).toEqual([]);
    expect(await player.recoveries("change_type")).toEqual([]);
    await notReloaded(player, tap);
  });

  it("with another resolution the picture follows in the same MediaSource", async (stage) => {
    const { tap, player } = await began(stage);
    await change(player, { encoding: "h264", size: "640x360" }, /^avc1/);
    expect(await player.recoveries("rebuild")).toEqual([]);
    await player.sounds();
    await notReloaded(player, tap);
  });

  it("from H.264 to VP9 to AV1 and back", async (stage) => {
    const { tap, player } = await began(stage);
    const black = await player.watchForBlack();
    await change(player, { encoding: "vp9" }, /^vp09/);
    await player.sounds();
    await change(player, { encoding: "av1" }, /^av01/);
    await player.sounds();
    await change(player, { encoding: "h264" }, /^avc1/);
    await player.sounds();
    expect((await player.recoveries("change_type")).map(({ cause }) => cause).join("\n")).toMatch(/vp09[\s\S]*av01/);
    expect(await black(), "moments without a picture").toBe(0);
    await notReloaded(player, tap);
  });

  it("when sound vanishes the picture goes on, and when it comes back it is heard", async (stage) => {
    const { tap, player } = await began(stage);
    const black = await player.watchForBlack();
    await change(player, { encoding: "silent" }, /^avc1/);
    await until("the player to have no sound", async () => (await player.stats())?.audioCodec === "");
    await change(player, { encoding: "h264" }, /^avc1/);
    await until("the player to have sound", async () => (await player.stats())?.audioCodec !== "");
    await player.sounds();
    expect(await black(), "moments without a picture").toBe(0);
    await notReloaded(player, tap);
  });
});
