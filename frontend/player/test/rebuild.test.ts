import { create } from "@bufbuild/protobuf";
import { StreamStartedSchema, TrackKind } from "@framewire/schema/media";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { StreamStarted } from "../src/client/types.ts";
import { Engine } from "../src/engine/engine.ts";
import { profileOf } from "../src/engine/profile.ts";
import type { Recovery } from "../src/status.ts";

/** How many times something was appended. */
let appended = 0;
/** SourceBuffers that refuse what they are given, as often as this says. */
let refusals = 0;

class Buffer extends EventTarget {
  readonly updating = false;
  readonly buffered = { length: 0 };
  mode = "";
  appendBuffer(): void {
    appended++;
    if (refusals-- > 0) throw new DOMException("damaged", "EncodingError");
  }
}

class Source extends EventTarget {
  static isTypeSupported = () => true;
  readyState = "open";
  addSourceBuffer = () => new Buffer();
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("MediaSource", Source);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** What is asked of the page beside that which a test looks at. */
const quiet = {
  seek: () => {},
  rate: () => {},
  soundFrom: () => {},
  tracks: () => {},
  gap: () => {},
  starved: () => {},
};

describe("another epoch", () => {
  it("has its init segment appended where that is another one, and not where it is the same", () => {
    const engine = new Engine(profileOf("Chrome"), () => 0, {
      attach: ({ source }) => setTimeout(() => source.dispatchEvent(new Event("sourceopen"))),
      recovery: () => {},
      ...quiet,
    });
    const epoch = (number: number, ...init: number[]) => {
      const initSegment = Uint8Array.from(init);
      const mimeType = 'video/mp4; codecs="avc1.42c01e"';
      const track = { id: 1, kind: TrackKind.VIDEO, timescale: 1000, mimeType, initSegment };
      engine.started(
        create(StreamStartedSchema, { stream: "demo", epoch: number, tracks: [track] }) as unknown as StreamStarted,
      );
      vi.advanceTimersByTime(100);
    };
    appended = refusals = 0;
    epoch(1, 1, 2, 3);
    expect(appended).toBe(1);
    epoch(2, 1, 2, 3);
    expect(appended, "after the same one").toBe(1);
    epoch(3, 1, 2, 4);
    expect(appended, "after another one").toBe(2);
    engine.close();
  });
});

describe("a MediaSource that breaks", () => {
  it("is made anew as often as it takes, though not at once each time", () => {
    const recoveries: Recovery[] = [];
    let sources = 0;
    const engine = new Engine(profileOf("Chrome"), () => 0, {
      attach: ({ source }) => {
        sources++;
        setTimeout(() => source.dispatchEvent(new Event("sourceopen")));
      },
      recovery: (recovery) => recoveries.push(recovery),
      ...quiet,
    });
    const track = { id: 1, kind: TrackKind.VIDEO, timescale: 1000, mimeType: 'video/mp4; codecs="avc1.42c01e"' };
    refusals = 3;
    engine.started(
      create(StreamStartedSchema, { stream: "demo", epoch: 1, tracks: [track] }) as unknown as StreamStarted,
    );
    vi.advanceTimersByTime(200);
    expect(recoveries.map(({ action }) => action)).toEqual(["rebuild"]);
    vi.advanceTimersByTime(30_000);
    expect(sources, "MediaSources").toBe(4);
    expect(recoveries.map(({ action }) => action)).toEqual(["rebuild", "rebuild", "rebuild"]);
    engine.close();
  });
});
