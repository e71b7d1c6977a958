import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { root, serve, startBrowser, stopAll } from "../stage/programs.js";
import { clip, type Encoding, ffmpeg, probe, temporary } from "./harness/ffmpeg.ts";
import { readParts } from "./harness/multipart.ts";
import { holds, type Stage } from "./harness/stage.ts";
import { until } from "./harness/until.ts";

const files: readonly Encoding[] = ["bframes", "h265", "vp9", "av1"];
const folder = temporary();
let address: string;
let browser: Browser;
const it = (name: string, body: (stage: Stage) => Promise<void>) => holds(name, () => browser, body);
const mp4 = (stream: string) => `http://${address}/streams/${stream}.mp4`;

beforeAll(async () => {
  for (const name of files) await clip(folder.path(`${name}.mp4`), name);
  const sources = files.flatMap((name) => ["--source", `${name}=${folder.path(`${name}.mp4`)}`]);
  ({ address } = await serve(["--source", "demo=demo:", ...sources]));
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await stopAll();
  folder.remove();
});

describe("files that Chromium can play", () => {
  for (const [name, video, audio] of [
    ["bframes", "avc1", "mp4a"],
    ["vp9", "vp09", "opus"],
    ["av1", "av01", "opus"],
  ] as const) {
    it(`${name}: pictures and sound play, over the seam of the loop, with the codecs named`, async (stage) => {
      const player = await stage.embed(address, name, "?muted=0");
      await player.plays(100); // 4 s of a file of 3 s
      await player.sounds();
      const stats = await until("the player's figures", () => player.stats());
      expect(stats.videoCodec).toMatch(new RegExp(`^${video}`));
      expect(stats.audioCodec).toMatch(new RegExp(`^${audio}`, "i"));
      expect(await player.do(({ undecodableTracks }) => undecodableTracks)).toEqual([]);
      expect(await player.recoveries("rebuild"), "times the MediaSource was made anew").toEqual([]);
    });
  }
});

describe("H.265, which Chromium cannot play here", () => {
  it("is named as such by the page, while the sound plays", async (stage) => {
    const player = await stage.embed(address, "h265", "?muted=0");
    await player.reaches("playing");
    await player.sounds();
    expect(await player.do(({ undecodableTracks }) => undecodableTracks)).toEqual([
      { kind: "video", codec: expect.stringMatching(/^hvc1/) },
    ]);
    await until("H.265 to be named on the page", () =>
      player.do((element) => /H\.265/.test(element.shadowRoot?.textContent ?? "")),
    );
  });
});

describe("sound that the browser cannot play", () => {
  it("is named as such by the page, while the pictures play", async (stage) => {
    const player = await stage.embed(address, "demo", "?muted=0", {
      init: () => {
        // A worker would ask a MediaSource of its own, out of reach from here.
        Object.defineProperty(MediaSource, "canConstructInDedicatedWorker", { value: false });
        const asked = MediaSource.isTypeSupported;
        MediaSource.isTypeSupported = (type) => !type.includes("mp4a") && asked.call(MediaSource, type);
      },
    });
    await player.plays();
    expect(await player.do(({ undecodableTracks }) => undecodableTracks)).toEqual([
      { kind: "audio", codec: expect.stringMatching(/^mp4a/) },
    ]);
    await until("AAC to be named on the page", () =>
      player.do((element) => /AAC/.test(element.shadowRoot?.querySelector("[part=notice]")?.textContent ?? "")),
    );
  });
});

describe("/streams/NAME.mp4", () => {
  for (const [name, codecs] of [
    ["demo", ["h264", "aac"]],
    ["bframes", ["h264", "aac"]],
    ["h265", ["hevc", "aac"]],
    ["vp9", ["vp9", "opus"]],
    ["av1", ["av1", "opus"]],
  ] as const) {
    it(`${name}: ffprobe finds ${codecs.join(" and ")}, and ffmpeg decodes it without complaint`, async () => {
      const streams = await probe(mp4(name));
      expect(streams.map((stream) => stream.codec_name).sort()).toEqual([...codecs].sort());
      if (name === "bframes")
        expect(streams.find(({ codec_type }) => codec_type === "video")?.has_b_frames).toBeGreaterThan(0);
      await ffmpeg("ffmpeg", ["-i", mp4(name), "-t", "1.5", "-f", "null", "-"]);
    });
  }

  it("plays in a bare video tag", async (stage) => {
    const page = await blank(stage);
    await page.setContent(`<video src="${mp4("demo")}" autoplay muted></video>`);
    const state = () =>
      page.evaluate(() => {
        const video = document.querySelector("video");
        const frames = video?.getVideoPlaybackQuality().totalVideoFrames ?? 0;
        return { time: video?.currentTime ?? 0, frames, error: video?.error?.message };
      });
    await until("thirty frames", async () => {
      const { frames, time, error } = await state();
      if (error) throw new Error(error);
      return frames > 30 && time > 0;
    });
  });
});

/** A page of the server's origin without anything, and without a policy. */
async function blank(stage: Stage) {
  const page = await stage.open("about:blank");
  const url = `http://${address}/blank`;
  await page.route(url, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.goto(url);
  return page;
}

describe("pictures", () => {
  it("/streams/NAME.mjpeg is a sequence of whole JPEGs", async () => {
    const parts = await readParts(`http://${address}/streams/demo.mjpeg`, 3);
    const demo = (await probe(mp4("demo"))).find(({ codec_type }) => codec_type === "video");
    for (const [i, { type, body }] of parts.entries()) {
      expect(type).toBe("image/jpeg");
      const path = folder.path(`part-${i}.jpg`);
      writeFileSync(path, body);
      expect(await probe(path)).toMatchObject([{ codec_name: "mjpeg", width: demo?.width, height: demo?.height }]);
      await ffmpeg("ffmpeg", ["-i", path, "-f", "null", "-"]);
    }
    expect(Buffer.compare(parts[0]?.body as Buffer, parts[2]?.body as Buffer), "difference of two pictures").not.toBe(
      0,
    );
  });

  it("/streams/NAME.mjpeg and .jpg show in an img", async (stage) => {
    const page = await blank(stage);
    for (const kind of ["mjpeg", "jpg"]) {
      await page.setContent(`<img src="http://${address}/streams/demo.${kind}" alt="">`);
      await until(`the picture of .${kind}`, () => page.evaluate(() => (document.images[0]?.naturalWidth ?? 0) > 0));
    }
  });
});

describe("the JSON subprotocol", () => {
  it("serves the plain script of the documentation, which saves a file that plays", async () => {
    const guide = readFileSync(join(root, "docs", "write-a-client.md"), "utf8");
    const [, script] = /```js\n([\s\S]*?)```/.exec(guide) ?? [];
    if (!script) throw new Error("docs/write-a-client.md holds no script");
    const path = folder.path("save.mjs");
    writeFileSync(path, script.replaceAll("localhost:8080", address));
    const saved = folder.path("saved.mp4");
    const flags = typeof WebSocket === "undefined" ? ["--experimental-websocket", "--no-warnings"] : [];
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, path, "demo", "2", saved]);
    expect(stdout).toMatch(/avc1\.\w+, \d+x\d+/);
    expect(await probe(saved)).toMatchObject([{ codec_type: "video", codec_name: "h264" }]);
    await ffmpeg("ffmpeg", ["-i", saved, "-f", "null", "-"]);
  });
});
