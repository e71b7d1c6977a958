import { expect, test } from "vitest";
import { KEPT_SECONDS, percentile, rateOf, Samples } from "./samples.ts";

const sample = (at: number, latenciesMs: number[] = []) => ({ at, viewers: 1, bitsPerSecond: 8, latenciesMs });

test.each([
  [[], 0.5, null],
  [[7], 0.99, 7],
  [[1, 2, 3, 4], 0.5, 2],
  [[1, 2, 3, 4], 0.95, 4],
  [[1, 2, 3, 4], 0, 1],
])("of %j, %d is not above %j", (values, share, expected) => {
  expect(percentile(values, share)).toBe(expected);
});

test("percentiles do not depend on the order of viewers", () => {
  const samples = new Samples();
  samples.add(sample(1, [900, 100, 300]));
  expect(samples.columns).toEqual({
    ...{ at: [1], viewers: [1], bitsPerSecond: [8] },
    ...{ p50: [300], p95: [900], p99: [900] },
  });
});

test("an hour is kept, in columns of equal length", () => {
  const samples = new Samples();
  for (let at = 0; at <= KEPT_SECONDS + 100; at += 10) samples.add(sample(at));
  const lengths = Object.values(samples.columns).map((column) => column.length);
  expect(new Set(lengths)).toEqual(new Set([KEPT_SECONDS / 10 + 1]));
  expect(samples.columns.at[0]).toBe(100);
});

test("what was not seen is a gap", () => {
  const samples = new Samples();
  samples.add(sample(1));
  samples.add(sample(100));
  expect(samples.columns.viewers).toEqual([1, null, 1]);
});

test("a sample out of order is left out", () => {
  const samples = new Samples();
  samples.add(sample(2));
  samples.add(sample(2));
  samples.add(sample(1));
  expect(samples.columns.at).toEqual([2]);
});

test.each([
  ["the first reading", undefined, null],
  ["a counter that grew", { bytes: 1000n, atUs: 0n }, 8000],
  ["a counter that began anew", { bytes: 3000n, atUs: 0n }, null],
  ["a clock that stood still", { bytes: 0n, atUs: 1_000_000n }, null],
])("the rate of %s", (_, before, expected) => {
  expect(rateOf(before, { bytes: 2000n, atUs: 1_000_000n })).toBe(expected);
});
