import { describe, expect, test } from "vitest";
import { formatBitrate, formatCodec, formatLatency, formatSpan, formatViewers } from "./format.ts";

describe("formatBitrate", () => {
  test.each([
    [0, ""],
    [Number.NaN, ""],
    [320, "1 kbit/s"],
    [64_000, "64 kbit/s"],
    [999_499, "999 kbit/s"],
    [999_500, "1.0 Mbit/s"],
    [2_449_000, "2.4 Mbit/s"],
    [9_949_000, "9.9 Mbit/s"],
    [9_960_000, "10 Mbit/s"],
  ])("%d is %s", (bits, text) => expect(formatBitrate(bits)).toBe(text));
});

describe("formatLatency", () => {
  test.each([
    [0, ""],
    [Number.NaN, ""],
    [120, "120 ms behind live"],
    [2430, "2.4 s behind live"],
  ])("%d is %s", (milliseconds, text) => expect(formatLatency(milliseconds)).toBe(text));
});

describe("formatCodec", () => {
  test.each([
    ["avc1.64001f", "H.264"],
    ["hvc1.1.6.L93.B0", "H.265"],
    ["av01.0.04M.08", "AV1"],
    ["vp09.00.10.08", "VP9"],
    ["mp4a.40.2", "AAC"],
    ["mp4a.6B", "MP3"],
    ["mp4a.40.34", "MP3"],
    ["Opus", "Opus"],
    ["fLaC", "FLAC"],
    ["xyz1.2", "xyz1.2"],
  ])("%s is %s", (codec, name) => expect(formatCodec(codec)).toBe(name));
});

test.each([
  [0, "moments"],
  [59, "moments"],
  [60, "1 min"],
  [3599, "59 min"],
  [7200, "2 h"],
  [86_400, "1 day"],
  [200_000, "2 days"],
])("%d seconds are %s", (seconds, text) => expect(formatSpan(seconds)).toBe(text));

test.each([
  [0, "0 viewers"],
  [1, "1 viewer"],
  [3400, "3,400 viewers"],
])("%d viewers are written %s", (count, text) => expect(formatViewers(count)).toBe(text));
