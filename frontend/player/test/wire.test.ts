import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ClientMessageSchema, ServerMessageSchema } from "@framewire/schema/session";
import { describe, expect, it } from "vitest";
import { nameOf, numberOf, readServerMessage, WireError, writeClientMessage } from "../src/wire/index.ts";

/** What the general runtime writes. */
function wire(body: Parameters<typeof create<typeof ServerMessageSchema>>[1]): ArrayBuffer {
  return toBinary(ServerMessageSchema, create(ServerMessageSchema, body)).slice().buffer as ArrayBuffer;
}

describe("reading", () => {
  it("reads a fragment as the general runtime wrote it", () => {
    const payload = new Uint8Array([1, 2, 3]);
    const { body } = readServerMessage(
      wire({
        body: {
          case: "fragment",
          value: {
            trackId: 7,
            epoch: 4_000_000_000,
            sequence: 9_007_199_254_740_991n,
            decodeTimeTicks: -5n,
            compositionOffsetTicks: -3000,
            durationTicks: 512,
            keyframe: true,
            capturedAtUnixUs: 1_795_376_588_394_398n,
            payload,
          },
        },
      }),
    );
    expect(body).toEqual({
      case: "fragment",
      value: {
        trackId: 7,
        epoch: 4_000_000_000,
        sequence: 9_007_199_254_740_991,
        decodeTimeTicks: -5,
        compositionOffsetTicks: -3000,
        durationTicks: 512,
        keyframe: true,
        capturedAtUnixUs: 1_795_376_588_394_398,
        payload,
      },
    });
  });

  it("gives fields that were not sent their defaults", () => {
    const { body } = readServerMessage(wire({ body: { case: "sessionState", value: { volume: 0.25 } } }));
    expect(body.case === "sessionState" && body.value).toMatchObject({
      stream: "",
      muted: false,
      volume: 0.25,
      undecodableTrackIds: [],
    });
  });

  it("reads nested and repeated messages, and packed numbers", () => {
    const tracks = [
      { id: 1, codec: "avc1.64001f", details: { case: "video" as const, value: { width: 640, frameRate: 29.97 } } },
      { id: 2, codec: "opus", details: { case: "audio" as const, value: { sampleRate: 48000 } } },
    ];
    const started = readServerMessage(wire({ body: { case: "streamStarted", value: { stream: "häuser/1", tracks } } }));
    expect(started.body.case === "streamStarted" && started.body.value).toMatchObject({
      stream: "häuser/1",
      tracks: [
        { id: 1, details: { case: "video", value: { width: 640, height: 0, frameRate: 29.97 } } },
        { id: 2, details: { case: "audio", value: { sampleRate: 48000, channels: 0 } } },
      ],
    });
    const state = readServerMessage(wire({ body: { case: "sessionState", value: { undecodableTrackIds: [1, 300] } } }));
    expect(state.body.case === "sessionState" && state.body.value.undecodableTrackIds).toEqual([1, 300]);
  });

  it("passes over what a newer server adds", () => {
    // Field 2000 in each of the four wire types, then an arm that is known.
    const tag = (type: number) => [0x80 | type, 0x7d];
    const unknown = [...tag(0), 1, ...tag(1), 1, 2, 3, 4, 5, 6, 7, 8, ...tag(2), 2, 9, 9, ...tag(5), 1, 2, 3, 4];
    const known = [...new Uint8Array(wire({ body: { case: "goodbye", value: { retryAfterMs: 5 } } }))];
    const { body } = readServerMessage(new Uint8Array([...unknown, ...known]).buffer);
    expect(body.case === "goodbye" && body.value.retryAfterMs).toBe(5);
    expect(readServerMessage(new Uint8Array(unknown).buffer).body.case).toBeUndefined();
  });

  it("refuses every message that is cut off, and garbage, with a WireError", () => {
    const whole = new Uint8Array(
      wire({
        body: {
          case: "streamStarted",
          value: { stream: "demo", tracks: [{ id: 1, initSegment: new Uint8Array(40) }] },
        },
      }),
    );
    for (let length = 1; length < whole.length; length++) {
      expect(() => readServerMessage(whole.slice(0, length).buffer), `${length} bytes`).toThrow(WireError);
    }
    let seed = 1;
    for (let round = 0; round < 5000; round++) {
      const bytes = whole.slice();
      for (let i = 0; i < 3; i++) {
        seed = (seed * 48271) % 0x7fffffff;
        bytes[seed % bytes.length] = seed >> 8;
      }
      try {
        readServerMessage(bytes.buffer);
      } catch (error) {
        expect(error, `seed ${seed}`).toBeInstanceOf(WireError);
      }
    }
  });
});

describe("writing", () => {
  it("writes what the general runtime reads", () => {
    const bytes = writeClientMessage({
      case: "hello",
      value: {
        protocolVersion: 1,
        decodableTypes: ["a", "b"],
        token: "ü".repeat(100),
        resume: { stream: "demo", nextSequence: 2 ** 40, paused: true },
        settings: { volume: 0.5, muted: false, latencyTargetMs: 300 },
      },
    });
    expect(fromBinary(ClientMessageSchema, bytes).body).toMatchObject({
      case: "hello",
      value: {
        protocolVersion: 1,
        decodableTypes: ["a", "b"],
        token: "ü".repeat(100),
        resume: { stream: "demo", nextSequence: 1099511627776n, paused: true, timeShifted: false },
        settings: { volume: 0.5, muted: false, latencyTargetMs: 300 },
      },
    });
  });

  it("tells a field with presence from one that is not set", () => {
    const select = (value: { videoTrackId?: number; audioTrackId?: number }) =>
      fromBinary(
        ClientMessageSchema,
        writeClientMessage({ case: "command", value: { id: 1, body: { case: "selectTracks", value } } }),
      ).body.value;
    expect(select({ videoTrackId: 0 })).toMatchObject({ body: { value: { videoTrackId: 0 } } });
    expect(select({ audioTrackId: 2 })).not.toHaveProperty("body.value.videoTrackId");
  });

  it("writes empty arms and negative times", () => {
    const pause = fromBinary(
      ClientMessageSchema,
      writeClientMessage({ case: "command", value: { id: 3, body: { case: "pause", value: {} } } }),
    );
    expect(pause.body).toMatchObject({ case: "command", value: { id: 3, body: { case: "pause" } } });
    const ping = fromBinary(ClientMessageSchema, writeClientMessage({ case: "ping", value: { clientTimeUnixUs: -1 } }));
    expect(ping.body).toMatchObject({ value: { clientTimeUnixUs: -1n } });
  });

  it("refuses numbers that the protocol cannot carry", () => {
    expect(() => writeClientMessage({ case: "ping", value: { clientTimeUnixUs: 0.5 } })).toThrow(RangeError);
  });
});

it("names enum values, and calls those of a newer server unspecified", () => {
  expect(nameOf("GoodbyeReason", 4)).toBe("too_slow");
  expect(nameOf("GoodbyeReason", 400)).toBe("unspecified");
  expect(numberOf("PlayerState", "paused")).toBe(3);
});
