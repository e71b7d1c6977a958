import { expect, test } from "vitest";
import { formatBytes, formatElapsed, formatMs } from "./figures.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [99_400, "99 kB"],
  [999_499, "999 kB"],
  [999_600, "1.0 MB"],
  [123_456_789n, "123 MB"],
  [2_500_000_000_000n, "2.50 TB"],
])("%s bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, "0 ms"],
  [240.4, "240 ms"],
  [999.6, "1.0 s"],
  [61_000, "1 min 1 s"],
])("%d ms are %s", (ms, text) => {
  expect(formatMs(ms)).toBe(text);
});

test.each([
  [-5, "0 s"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [7_500_000, "2 h 5 min"],
  [356_400_000, "4 d 3 h"],
])("%d ms elapsed are %s", (ms, text) => {
  expect(formatElapsed(ms)).toBe(text);
});
