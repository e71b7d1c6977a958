import { describe, expect, it } from "vitest";
import { CaptureTimes } from "../src/engine/captured.ts";
import { Filler } from "../src/engine/filler.ts";
import { Jitter } from "../src/engine/jitter.ts";
import { Join } from "../src/engine/join.ts";
import { Replay } from "../src/engine/replay.ts";
import { Slides } from "../src/engine/slides.ts";
import { codecFamily, type Kind } from "../src/engine/track.ts";
import { Trimmer } from "../src/engine/trim.ts";
import { Watchdog } from "../src/engine/watchdog.ts";

const frame = 1 / 30;

describe("Jitter", () => {
  /** Adds fragments that come late by what delay says, after a burst of sixty. */
  function fed(delay: (i: number) => number): Jitter {
    const jitter = new Jitter();
    for (let i = 0; i < 60; i++) jitter.add(1000 + i * 0.2, i * frame, frame);
    for (let i = 0; i < 300; i++) jitter.add(1034 + i * 33.333 + delay(i), (60 + i) * frame, frame);
    return jitter;
  }
  it("is nothing for fragments that come as they play, whatever burst came before", () => {
    expect(fed(() => 0).percentile(0.99)).toBeLessThan(1);
  });
  it("is the delay of the late ones", () => {
    expect(fed((i) => (i % 20 === 0 ? 80 : 0)).percentile(0.99)).toBeCloseTo(80, 0);
  });
  it("leaves out what is rarer than one in a hundred", () => {
    expect(fed((i) => (i === 150 ? 400 : 0)).percentile(0.99)).toBeLessThan(5);
  });
  it("says how late any part of them is", () => {
    const jitter = fed((i) => (i % 20 === 0 ? 80 : i % 2 === 0 ? 10 : 0));
    expect(jitter.percentile(0.4)).toBeLessThan(1);
    expect(jitter.percentile(0.9)).toBeCloseTo(10, 0);
  });
  it("does not take for jitter what a loading page delays", () => {
    expect(fed((i) => (i < 15 ? 150 : 0)).percentile(1)).toBeLessThan(1);
  });
  it("forgets an outage once fragments come in time again", () => {
    // Half of what is due comes for four seconds, and then all that is missing at once.
    const late = (i: number) => (i < 100 || i > 160 ? 0 : (i - 100) * 33.333);
    expect(fed((i) => late(Math.min(i, 160))).percentile(0.98)).toBeGreaterThan(1_000);
    expect(fed(late).percentile(0.98)).toBeLessThan(1);
  });
  it("reckons with what happened twice, from the average on, and not with what happened once", () => {
    const stall = (i: number, from: number) => (i >= from && i < from + 8 ? 250 - (i - from) * 33.333 : 0);
    expect(fed((i) => stall(i, 100)).repeated()).toBeLessThan(1);
    const twice = fed((i) => stall(i, 100) + 0.8 * stall(i, 200)).repeated();
    expect(twice).toBeGreaterThan(185);
    expect(twice).toBeLessThan(200);
  });
  it("knows nothing after a reset", () => {
    const jitter = fed((i) => (i % 2) * 50);
    jitter.reset();
    expect(jitter.percentile(0.99)).toBe(0);
  });
});

describe("Join", () => {
  it("foretells the live edge from the age of the first fragment", () => {
    const join = new Join(["video"], 0.05);
    expect(join.fragment("video", 100, 100.033, 1.2)).toBeCloseTo(101.183, 3);
    expect(join.fragment("video", 100.033, 100.066, 1.2)).toBeUndefined();
  });
  it("waits for all tracks, and takes the earlier edge", () => {
    const join = new Join(["video", "audio"], 0.2);
    expect(join.fragment("video", 10, 10.033, 0.9)).toBeUndefined();
    expect(join.fragment("audio", 9.95, 9.99, 0.9)).toBeCloseTo(10.69, 3);
  });
  it("does not begin before the first media", () => {
    const join = new Join(["video"], 0.5);
    expect(join.fragment("video", 10, 10.033, 0.05)).toBe(10);
  });
  it("does not believe a clock that is hours off", () => {
    const join = new Join(["video"], 0.05);
    expect(join.fragment("video", 10, 10.033, 7200)).toBeUndefined();
    expect(join.fragment("video", 10, 10.033, -7200)).toBeUndefined();
    expect(join.fragment("video", 10, 10.033, undefined)).toBeUndefined();
  });
});

describe("Trimmer", () => {
  it("cuts at a keyframe, two groups and ten seconds behind the playhead", () => {
    const trimmer = new Trimmer();
    for (let time = 0; time <= 40; time += 2) trimmer.keyframe(time);
    expect(trimmer.due(10_000, 41)).toBe(26);
    expect(trimmer.due(11_000, 41)).toBeUndefined();
    expect(trimmer.due(14_000, 41)).toBe(26);
  });
  it("leaves the present group alone when memory is short", () => {
    const trimmer = new Trimmer();
    for (const time of [0, 4, 8]) trimmer.keyframe(time);
    expect(trimmer.urgent(7.9, "video")).toBe(4);
    expect(trimmer.urgent(7.95, "video"), "again in the same group").toBeUndefined();
    expect(trimmer.urgent(7.95, "audio"), "another track").toBe(4);
    expect(trimmer.urgent(3, "video")).toBeUndefined();
  });
  it("cuts anywhere where there are no pictures", () => {
    expect(new Trimmer().due(10_000, 60)).toBe(50);
  });
});

describe("Watchdog", () => {
  it("steps over a hole, waits for media, and repairs what is frozen in steps", () => {
    const watchdog = new Watchdog();
    expect(watchdog.check({ frozenFor: 100, gap: 0, after: 12 })).toBeUndefined();
    expect(watchdog.check({ frozenFor: 250, gap: 0.01, after: 12 })).toEqual({ action: "step_over_hole", to: 12 });
    expect(watchdog.check({ frozenFor: 2500, gap: 0.01, after: undefined })).toBeUndefined();
    expect(watchdog.check({ frozenFor: 1100, gap: 1, after: undefined })).toEqual({ action: "unfreeze" });
    expect(watchdog.check({ frozenFor: 1200, gap: 1, after: undefined })).toBeUndefined();
    expect(watchdog.check({ frozenFor: 3100, gap: 1, after: undefined })).toEqual({ action: "rebuild" });
  });
  it("does not rebuild over and over", () => {
    const watchdog = new Watchdog();
    expect(watchdog.mayRebuild()).toBe(true);
    expect(watchdog.mayRebuild()).toBe(false);
  });
});

describe("Replay", () => {
  const kept = (kind: Kind, start: number, keyframe = false) => ({
    kind,
    start,
    end: start + 0.04,
    keyframe: keyframe || kind === "audio",
    captured: 0,
    payload: new Uint8Array(10),
  });
  it("keeps from a keyframe on, also when the next has just come", () => {
    const replay = new Replay();
    for (let i = 0; i < 100; i++) {
      replay.add(kept("audio", i * 0.04));
      replay.add(kept("video", i * 0.04, i % 25 === 0));
    }
    const fragments = replay.fragments(["video", "audio"]);
    const video = fragments.filter(({ kind }) => kind === "video");
    expect(video[0]).toMatchObject({ keyframe: true });
    expect(video[0]?.start).toBeLessThanOrEqual(3.96 - 0.6);
    expect(video[0]?.start).toBeGreaterThanOrEqual(1);
    expect(replay.fragments(["audio"]).every(({ kind }) => kind === "audio")).toBe(true);
  });
  it("has nothing without a keyframe, and measures what it has", () => {
    const replay = new Replay();
    replay.add(kept("video", 1));
    replay.add(kept("audio", 1));
    replay.add(kept("audio", 1.04));
    expect(replay.fragments(["video"])).toEqual([]);
    expect(replay.span("audio")).toBeCloseTo(0.08);
  });
});

describe("Filler", () => {
  const box = (type: string, ...content: number[][]): number[] => {
    const body = content.flat();
    return [0, 0, 0, body.length + 8, ...[...type].map((c) => c.charCodeAt(0)), ...body];
  };
  const chunk = (version: number) =>
    new Uint8Array([
      ...box(
        "moof",
        box("mfhd", [0, 0, 0, 0, 0, 0, 0, 1]),
        box("traf", box("tfdt", [version, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
      ),
      ...box("mdat", [1, 2, 3]),
    ]);
  const timeOf = (bytes: Uint8Array) => new DataView(bytes.buffer).getBigUint64(8 + 16 + 8 + 8 + 4);

  it("repeats the last fragment with later times, as far as it is asked", () => {
    const filler = new Filler(48_000);
    filler.saw(chunk(1), 96_000, 2048);
    const made = filler.fill(2.1);
    expect(made.map(timeOf)).toEqual([98_048n, 100_096n]);
    expect(made[0]?.slice(-3)).toEqual(new Uint8Array([1, 2, 3]));
    expect(filler.fill(2.1)).toEqual([]);
  });
  it("makes no thousands of them after a leap of time", () => {
    const filler = new Filler(48_000);
    filler.saw(chunk(1), 0, 1024);
    expect(filler.fill(3_600).length).toBeLessThan(5);
  });
  it("makes nothing of what it does not understand", () => {
    const filler = new Filler(48_000);
    expect(filler.fill(10)).toEqual([]);
    filler.saw(chunk(0), 0, 1024);
    expect(filler.fill(10)).toEqual([]);
    filler.saw(new Uint8Array([0, 0, 0, 255, 1]), 0, 1024);
    expect(filler.fill(10)).toEqual([]);
  });
});

describe("Slides", () => {
  const box = (type: string, ...content: number[][]): number[] => {
    const body = content.flat();
    return [0, 0, 0, body.length + 8, ...[...type].map((c) => c.charCodeAt(0)), ...body];
  };
  const u32 = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  /** A chunk of one sample as the server writes it; with durations of their own where rows has them. */
  const chunk = (trunFlags = 0x201, tfhdFlags = 0x020028) =>
    new Uint8Array([
      ...box(
        "moof",
        box(
          "traf",
          box("tfhd", u32(tfhdFlags), u32(1), u32(3_000), u32(0)),
          box("tfdt", u32(0x0100_0000), u32(0), u32(90_000)),
          box("trun", u32(trunFlags), u32(1), u32(0), u32(3)),
        ),
      ),
      ...box("mdat", [1, 2, 3]),
    ]);
  const fields = (bytes: Uint8Array) => {
    const view = new DataView(bytes.buffer);
    return { duration: view.getUint32(8 + 8 + 8 + 8), time: view.getBigUint64(8 + 8 + 24 + 8 + 4) };
  };

  it("has a keyframe stand from one time until another, and a second at least", () => {
    const slides = new Slides();
    slides.saw(chunk(), 90_000, 6_000);
    const short = slides.from(4, 4.02);
    expect(short).toMatchObject({ start: 4, end: 5 });
    expect(short && fields(short.payload)).toEqual({ duration: 90_000, time: 354_000n });
    const long = slides.from(4, 8);
    expect(long).toMatchObject({ start: 4, end: 8 });
    expect(long && fields(long.payload)).toEqual({ duration: 360_000, time: 354_000n });
    expect(long?.payload.slice(-3)).toEqual(new Uint8Array([1, 2, 3]));
  });
  it("leaves the keyframe itself as it is", () => {
    const slides = new Slides();
    const keyframe = chunk();
    slides.saw(keyframe, 90_000, 0);
    slides.from(7, 8);
    expect(keyframe).toEqual(chunk());
  });
  it("makes nothing without a keyframe, or of one that it does not understand", () => {
    const slides = new Slides();
    expect(slides.from(1, 2)).toBeUndefined();
    for (const strange of [chunk(0x301), chunk(0x201, 0x020020), new Uint8Array([0, 0, 0, 9, 1])]) {
      slides.saw(strange, 90_000, 0);
      expect(slides.from(1, 2)).toBeUndefined();
    }
    slides.saw(chunk(), 90_000, 0);
    slides.clear();
    expect(slides.from(1, 2)).toBeUndefined();
  });
});

describe("CaptureTimes", () => {
  it("finds a frame by its presentation time, out of order and in", () => {
    const times = new CaptureTimes();
    for (const i of [0, 3, 1, 2, 6, 4, 5]) times.add(i * frame, 1000 + i);
    for (let i = 0; i < 7; i++) expect(times.at(i * frame - 0.001)).toBe(1000 + i);
    expect(times.at(-1)).toBeUndefined();
  });
});

it("codecFamily tells decoders apart, not profiles", () => {
  expect(codecFamily('video/mp4; codecs="avc1.64001f"')).toBe("avc1");
  expect(codecFamily('video/mp4; codecs="vp09.00.10.08"')).toBe("vp09");
});
