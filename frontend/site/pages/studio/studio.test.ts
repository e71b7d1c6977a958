import { describe, expect, it } from "vitest";
import { Pace } from "./pace.ts";
import { bestBitrate, Lateness, RateControl } from "./rate.ts";
import { Timeline } from "./timeline.ts";
import { candidates } from "./video.ts";
import { verdictOf } from "./words.ts";

describe("the bitrate", () => {
  const best = bestBitrate(1280, 720, 30);

  it("is one that pictures of common sizes need", () => {
    expect(best).toBeGreaterThan(2e6);
    expect(best).toBeLessThan(3e6);
  });

  it("falls while data waits, and rises again when it does not", () => {
    const rate = new RateControl(best);
    let now = 0;
    const run = (seconds: number, backlog: number, queue = 0, wanted = 0) => {
      for (let i = 0; i < seconds * 5; i++) rate.observe((now += 200), backlog, queue, wanted);
    };
    run(5, 0);
    expect(rate.target).toBe(best);
    run(3, 400);
    const low = rate.target;
    expect(low).toBeLessThan(best / 2);
    expect(rate.stuck).toBe(false);
    run(60, 0);
    expect(rate.target).toBe(best);
    run(1, 0, 300);
    expect(rate.target).toBeLessThan(best);
    run(30, 5_000);
    expect(rate.target).toBeGreaterThanOrEqual(Math.floor(best / 16));
    expect(rate.stuck).toBe(true);
    run(1, 0);
    expect(rate.stuck).toBe(false);
  });

  it("stays where this machine itself is late, and not the network", () => {
    const run = (lateness: number) => {
      const rate = new RateControl(best);
      const late = new Lateness();
      for (let at = 0; at < 10_000; at += 50) {
        const busy = at > 3_000;
        late.add(at, busy ? lateness : 10);
        if (at % 200 === 0) rate.observe(at, 0, busy ? 400 : 0, busy ? best / 4 : 0, late.rise(at));
      }
      return rate.target;
    };
    expect(run(380)).toBe(best);
    expect(run(30)).toBeLessThan(best / 2);
  });

  it("heeds the server's wish", () => {
    const rate = new RateControl(best);
    rate.observe(10_000, 0, 200, 300_000);
    expect(rate.target).toBe(300_000);
  });
});

describe("the timeline", () => {
  it("takes the shortest way for the true one, and only grows", () => {
    const timeline = new Timeline();
    const jitter = [5, 30, 0, 80, 2, 40];
    const moments = Array.from({ length: 300 }, (_, i) =>
      timeline.map(i * 33_333, 1_000 + i * 33.333 + (jitter[i % 6] ?? 0)),
    );
    for (const [i, moment] of moments.slice(10).entries()) {
      expect(Math.abs(moment - (1_000 + (i + 10) * 33.333))).toBeLessThan(1);
    }
    for (let i = 1; i < moments.length; i++) expect(moments[i]).toBeGreaterThan(moments[i - 1] ?? 0);
  });

  it("follows a source whose clock is slow", () => {
    const timeline = new Timeline();
    let moment = 0;
    for (let i = 0; i < 1_000; i++) moment = timeline.map(i * 9_000, i * 10);
    expect(9_990 - moment).toBeLessThan(250);
  });

  it("begins anew where the source's clock jumps", () => {
    const timeline = new Timeline();
    timeline.map(50_000_000, 1_000);
    expect(timeline.map(0, 1_033)).toBeCloseTo(1_033, 0);
  });
});

describe("the pace of sound", () => {
  const piece = 10_000;

  it("lets through what comes a little early or late", () => {
    const pace = new Pace();
    expect(pace.next(5_000_000, piece).kind).toBe("restart");
    for (let i = 1; i < 500; i++) {
      const early = (i % 7) * 2_000 - 6_000;
      expect(pace.next(5_000_000 + i * piece + early, piece).kind).toBe("encode");
    }
  });

  it("puts silence in place of what was lost, so that what follows is in time", () => {
    const pace = new Pace();
    pace.next(0, piece);
    expect(pace.next(70_000, piece)).toEqual({ kind: "fill", length: 60_000 });
    expect(pace.next(80_000, piece).kind).toBe("encode");
  });

  it("leaves out what is too much, as from a device whose clock is fast", () => {
    const pace = new Pace();
    const kinds = Array.from({ length: 10_000 }, (_, i) => pace.next(i * piece * 0.999, piece).kind);
    expect(kinds.filter((kind) => kind === "drop").length).toBeGreaterThan(5);
    expect(kinds.filter((kind) => kind === "drop").length).toBeLessThan(15);
    expect(kinds.slice(1)).not.toContain("restart");
  });

  it("begins again where the source's clock jumped", () => {
    const pace = new Pace();
    pace.next(0, piece);
    expect(pace.next(-9_000_000, piece).kind).toBe("restart");
    expect(pace.next(9_000_000, piece).kind).toBe("restart");
    expect(pace.next(9_010_000, piece).kind).toBe("encode");
  });
});

describe("the codecs", () => {
  it.each([
    [640, 360, 30, "avc1.42e01e"],
    [1280, 720, 30, "avc1.42e01f"],
    [1920, 1080, 30, "avc1.42e028"],
    [1920, 1080, 60, "avc1.42e02a"],
    [3840, 2160, 30, "avc1.42e033"],
  ])("%ix%i at %i is %s first", (width, height, rate, codec) => {
    expect(candidates(width, height, rate)[0]?.codec).toBe(codec);
  });
});

describe("what the page says", () => {
  it("names what the visitor can do", () => {
    expect(verdictOf({ phase: "ended", reason: "bad_key", message: "" }).text).toContain("key");
    expect(verdictOf({ phase: "live", maxSampleBytes: 1 })).toEqual({ tone: "live", badge: "LIVE", text: "" });
    expect(verdictOf({ phase: "ended", reason: "requested", message: "" }).text).toBe("");
    expect(verdictOf({ phase: "ended", reason: "internal", message: "the disk is full" }).text).toContain(
      "the disk is full",
    );
  });
});
