import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect } from "vitest";
import { root } from "../stage/programs.js";
import { clip, type Encoding, ffmpeg, probe } from "./harness/ffmpeg.ts";
import { readParts } from "./harness/multipart.ts";
import { setting } from "./harness/setting.ts";
import type { Stage } from "./harness/stage.ts";
import { until } from "./harness/until.ts";

const encoded: readonly Encoding[] = ["bframes", "h265", "vp9", "av1"];
const here = setting({
  async serve(files) {
    for (const name of encoded) await clip(files.path(`${name}.mp4`), name);
    return [
      "--source",
      "demo=demo:",
      ...encoded.flatMap((name) => ["--source", `${name}=${files.path(`${name}.mp4`)}`]),
    ];
  },
});
const { it } = here;
const mp4 = (stream: string) => `http://${here.address}/streams/${stream}.mp4`;

describe("files that Chromium can play", () => {
  for (const [name, video, audio] of [
    ["bframes", "avc1", "mp4a"],
    ["vp9", "vp09", "opus"],
    ["av1", "av01", "opus"],
  ] as const) {
    it(`${name}: pictures and sound play, over the seam of the loop, with the codecs named`, async (stage) => {
      const player = await stage.embed(here.address, name, "?muted=0");
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
    const player = await stage.embed(here.address, "h265", "?muted=0");
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
    const player = await stage.embed(here.address, "demo", "?muted=0", {
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

describe("a browser", () => {
  it("without Media Source Extensions is told why, and offered the stream in other forms", async (stage) => {
    const player = await stage.embed(here.address, "demo", "", {
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
    const player = await stage.embed(here.address, "demo", "?muted=0", {
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
  const url = `http://${here.address}/blank`;
  await page.route(url, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.goto(url);
  return page;
}

describe("pictures", () => {
  it("/streams/NAME.mjpeg is a sequence of whole JPEGs", async () => {
    const parts = await readParts(`http://${here.address}/streams/demo.mjpeg`, 3);
    const demo = (await probe(mp4("demo"))).find(({ codec_type }) => codec_type === "video");
    for (const [i, { type, body }] of parts.entries()) {
      expect(type).toBe("image/jpeg");
      const path = here.files.path(`part-${i}.jpg`);
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
      await page.setContent(`<img src="http://${here.address}/streams/demo.${kind}" alt="">`);
      await until(`the picture of .${kind}`, () => page.evaluate(() => (document.images[0]?.naturalWidth ?? 0) > 0));
    }
  });
});

describe("the JSON subprotocol", () => {
  it("serves the plain script of the documentation, which saves a file that plays", async () => {
    const guide = readFileSync(join(root, "docs", "write-a-client.md"), "utf8");
    const [, script] = /```js\n([\s\S]*?)```/.exec(guide) ?? [];
    if (!script) throw new Error("docs/write-a-client.md holds no script");
    const path = here.files.path("save.mjs");
    writeFileSync(path, script.replaceAll("localhost:8080", here.address));
    const saved = here.files.path("saved.mp4");
    const flags = typeof WebSocket === "undefined" ? ["--experimental-websocket", "--no-warnings"] : [];
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, path, "demo", "2", saved]);
    expect(stdout).toMatch(/avc1\.\w+, \d+x\d+/);
    expect(await probe(saved)).toMatchObject([{ codec_type: "video", codec_name: "h264" }]);
    await ffmpeg("ffmpeg", ["-i", saved, "-f", "null", "-"]);
  });
});
