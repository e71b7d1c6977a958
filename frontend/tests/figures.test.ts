import { describe, expect, it } from "vitest";
import { type Frame, recovery, summarize } from "../bench/figures.js";

const period = 1000 / 30;

/** Frames from one moment to another, each shown so long after it was made. */
function frames(from: number, to: number, latency: number): Frame[] {
  const count = Math.floor((to - from) / period);
  return Array.from({ length: count }, (_, i) => {
    const presented = from + i * period;
    return { at: presented + 2, presented, count: i + 1, media: (presented - latency) / 1000, number: i, latency };
  });
}

describe("the figures of the benchmark", () => {
  it("tell rate and latency of a picture that moves evenly", () => {
    const s = summarize(frames(0, 10_000, 100), 0, 10_000);
    expect(s.fps).toBeCloseTo(30, 0);
    expect(s.latency).toEqual({ p50: 100, p95: 100, p99: 100, max: 100 });
    expect(s.freezes).toEqual([]);
  });

  it("take a picture that never moves again for a freeze, and count it against the rate", () => {
    const s = summarize(frames(0, 4000, 100), 0, 10_000);
    expect(s.freezes).toHaveLength(1);
    expect(s.freezes[0]?.length).toBeGreaterThan(5900);
    expect(s.fps).toBeCloseTo(12, 0);
  });

  it("take no picture at all for a freeze without a latency", () => {
    const s = summarize([], 0, 1000);
    expect(s.freezes).toEqual([{ at: 1000, length: 1000 }]);
    expect(s.latency.p50).toBeNaN();
  });

  it("see a freeze over the change to another element, whose count starts anew", () => {
    const s = summarize([...frames(0, 2000, 100), ...frames(2500, 4000, 100)], 0, 4000);
    expect(s.freezes).toHaveLength(1);
  });

  it("do not take frames that a busy page was not told of for a freeze", () => {
    const all = frames(0, 4000, 100).filter((_, i) => i % 10 === 0);
    expect(summarize(all, 0, 3700).freezes).toEqual([]);
  });
});

describe("the time back after a disturbance", () => {
  it("is that of the first frame after which all is good for a second", () => {
    const all = [
      ...frames(0, 1000, 900),
      ...frames(1000, 1500, 100),
      ...frames(1500, 2000, 900),
      ...frames(2000, 4000, 100),
    ];
    expect(recovery(all, 0, 150)).toBe(2000);
  });

  it("is none for a picture that stands still, or stays late, or was good too shortly", () => {
    expect(recovery([], 0, 150)).toBeNaN();
    expect(recovery(frames(0, 5000, 900), 0, 150)).toBeNaN();
    expect(recovery(frames(0, 800, 100), 0, 150)).toBeNaN();
  });
});
