import type { StreamInfo } from "@framewire/player/client";
import { StreamStatus } from "@framewire/schema/media";
import { expect, test } from "vitest";
import { summarize } from "./streams.ts";

const info = (changes: Partial<StreamInfo>): StreamInfo => ({
  name: "cam",
  status: StreamStatus.LIVE,
  sinceUnixUs: 1_700_000_000_000_000,
  tracks: [],
  viewers: 0,
  bitrateBps: 0,
  latencyMs: 0,
  ...changes,
});

test("every status of the schema has its word", () => {
  const words = [StreamStatus.STARTING, StreamStatus.LIVE, StreamStatus.OFFLINE].map(
    (status) => summarize([info({ status })])[0]?.status,
  );
  expect(words).toEqual(["starting", "live", "offline"]);
});

test("streams of an unknown status, or with an unusable name, are left out", () => {
  expect(summarize([info({ status: 99 as StreamStatus }), info({ name: "a b" })])).toEqual([]);
});

test("live streams come first, then by name", () => {
  const streams = summarize([
    info({ name: "a", status: StreamStatus.OFFLINE }),
    info({ name: "c" }),
    info({ name: "b" }),
    info({ name: "d", status: StreamStatus.STARTING }),
  ]);
  expect(streams.map(({ name }) => name)).toEqual(["b", "c", "d", "a"]);
});

test("facts name the size, the rate and the codecs of the first tracks", () => {
  const track = { initSegment: new Uint8Array(), language: "", mimeType: "", timescale: 90_000 };
  const tracks = [
    {
      ...track,
      id: 2,
      kind: 2,
      codec: "mp4a.40.2",
      details: { case: "audio", value: { sampleRate: 48_000, channels: 2 } },
    },
    {
      ...track,
      id: 1,
      kind: 1,
      codec: "avc1.64001f",
      details: { case: "video", value: { width: 1280, height: 720, frameRate: 30_000 / 1001 } },
    },
    {
      ...track,
      id: 3,
      kind: 1,
      codec: "av01.0.04M.08",
      details: { case: "video", value: { width: 640, height: 360, frameRate: 0 } },
    },
  ] satisfies StreamInfo["tracks"];
  expect(summarize([info({ tracks })])[0]?.facts).toEqual(["1280×720", "29.97 fps", "H.264 + AAC"]);
});
