import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ClientMessage, ClientMessageSchema, ServerMessageSchema } from "@framewire/schema/session";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Publisher, type PublishState, publish, type Sample } from "../src/publish/index.ts";
import { writeSample } from "../src/publish/sample.ts";

describe("writing a sample", () => {
  it("writes what the general runtime reads", () => {
    const data = Uint8Array.from({ length: 70_000 }, (_, i) => i);
    const samples: Sample[] = [
      { track: 1, time: 0, keyframe: true, data: new Uint8Array([1]) },
      { track: 65_535, time: -12_345_678_901, offset: -3000, duration: 4_294_967_295, keyframe: false, data },
      { track: 2, time: 9_007_199_254_740_991, offset: 2_147_483_647, keyframe: true, data },
    ];
    for (const sample of samples) {
      const { body } = fromBinary(ClientMessageSchema, writeSample(sample, 1_795_376_588_394_398));
      expect(body.case === "publishSample" && body.value).toMatchObject({
        trackId: sample.track,
        decodeTimeTicks: BigInt(sample.time),
        compositionOffsetTicks: sample.offset ?? 0,
        durationTicks: sample.duration ?? 0,
        keyframe: sample.keyframe,
        capturedAtUnixUs: 1_795_376_588_394_398n,
        data: sample.data,
      });
    }
  });
});

/** A server, as far as a publisher sees it. */
class Socket {
  static all: Socket[] = [];
  readyState = 1;
  bufferedAmount = 0;
  binaryType = "";
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: ArrayBuffer }) => void) | null = null;
  onclose: ((event: { reason: string; wasClean: boolean; code: number }) => void) | null = null;
  readonly sent: ClientMessage["body"][] = [];

  constructor() {
    Socket.all.push(this);
    queueMicrotask(() => this.onopen?.());
  }

  send(data: Uint8Array): void {
    this.sent.push(fromBinary(ClientMessageSchema, data).body);
  }

  close(): void {
    this.readyState = 3;
  }

  says(body: Parameters<typeof create<typeof ServerMessageSchema>>[1]): void {
    this.onmessage?.({ data: toBinary(ServerMessageSchema, create(ServerMessageSchema, body)).slice().buffer });
  }

  welcomes(): void {
    this.says({ body: { case: "welcome", value: { sessionId: "s" } } });
  }

  starts(id: number): void {
    this.says({ body: { case: "publishStarted", value: { id, stream: "cam", maxSampleBytes: 1000 } } });
  }

  count(name: ClientMessage["body"]["case"]): number {
    return this.sent.filter((body) => body.case === name).length;
  }
}

const track = { id: 1, codec: "avc1.42e01f", timescale: 1_000_000, width: 640, height: 360 };
const key: Sample = { track: 1, time: 0, keyframe: true, data: new Uint8Array([1]) };
const delta: Sample = { ...key, keyframe: false };

describe("a publisher", () => {
  let states: PublishState[];
  let publisher: Publisher;

  beforeEach(() => {
    vi.useFakeTimers();
    Socket.all = [];
    states = [];
    publisher = publish("ws://host/ws", {
      stream: "cam",
      key: "secret",
      tracks: [track],
      WebSocket: Socket as unknown as typeof WebSocket,
    });
    publisher.on("state", (state) => states.push(state));
  });
  afterEach(() => {
    publisher.close();
    vi.useRealTimers();
  });

  const connect = async (nth = 0) => {
    await vi.advanceTimersByTimeAsync(nth === 0 ? 0 : 10_000);
    const socket = Socket.all[nth];
    if (!socket) throw new Error(`there is no connection ${nth}`);
    socket.welcomes();
    return socket;
  };

  it("asks for its stream, and sends samples from a keyframe on once it has it", async () => {
    const keyframes = vi.fn();
    publisher.on("keyframe", keyframes);
    const socket = await connect();
    const start = socket.sent.find((body) => body.case === "publishStart");
    expect(start?.value).toMatchObject({ id: 1, stream: "cam", key: "secret" });
    expect(publisher.write(key), "before it is let in").toBe(false);
    socket.starts(1);
    expect(keyframes).toHaveBeenCalledOnce();
    expect(publisher.write(delta)).toBe(false);
    expect(publisher.write(key)).toBe(true);
    expect(publisher.write(delta)).toBe(true);
    expect(socket.count("publishSample")).toBe(2);
    expect(() => publisher.write({ ...key, data: new Uint8Array(1001) })).toThrow(RangeError);
  });

  it("connects again when the connection breaks, and begins with a keyframe there", async () => {
    const first = await connect();
    first.starts(1);
    publisher.write(key);
    first.onclose?.({ reason: "", wasClean: false, code: 1006 });
    expect(publisher.state.phase).toBe("reconnecting");
    expect(publisher.write(key)).toBe(false);
    const second = await connect(1);
    second.starts(2);
    expect(publisher.write(delta)).toBe(false);
    expect(publisher.write(key)).toBe(true);
  });

  it("gives up where coming back would meet the same answer", async () => {
    const socket = await connect();
    socket.says({ body: { case: "publishEnded", value: { id: 1, reason: 4, message: "no" } } });
    expect(publisher.state).toEqual({ phase: "ended", reason: "bad_key", message: "no" });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(Socket.all).toHaveLength(1);
  });

  it("asks for another token where the one it had has expired", async () => {
    publisher.close();
    Socket.all = [];
    let asked = 0;
    publisher = publish("ws://host/ws", {
      stream: "cam",
      token: () => `token ${++asked}`,
      tracks: [track],
      WebSocket: Socket as unknown as typeof WebSocket,
    });
    const socket = await connect();
    expect(socket.sent[0]?.value).toMatchObject({ token: "token 1" });
    socket.starts(1);
    socket.says({ body: { case: "publishEnded", value: { id: 1, reason: 18 } } });
    expect(publisher.state).toMatchObject({ phase: "reconnecting", reason: "token_expired" });
    expect((await connect(1)).sent[0]?.value).toMatchObject({ token: "token 2" });
  });

  it("comes back no sooner than the server asks", async () => {
    const socket = await connect();
    socket.says({ body: { case: "publishEnded", value: { id: 1, reason: 5, retryAfterMs: 8_000 } } });
    expect(publisher.state).toMatchObject({ phase: "reconnecting", reason: "stream_busy" });
    await vi.advanceTimersByTimeAsync(7_900);
    expect(Socket.all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(Socket.all).toHaveLength(2);
  });

  it("ends in good order", async () => {
    const socket = await connect();
    socket.starts(1);
    const finished = publisher.finish();
    expect(socket.count("publishEnd")).toBe(1);
    socket.says({ body: { case: "publishEnded", value: { id: 1, reason: 1 } } });
    await finished;
    expect(publisher.state).toMatchObject({ phase: "ended", reason: "finished" });
  });

  it("passes on acknowledgements and requests", async () => {
    const heard: unknown[] = [];
    publisher.on("ack", (ack) => heard.push(ack));
    publisher.on("keyframe", () => heard.push("keyframe"));
    const socket = await connect();
    socket.starts(1);
    socket.says({ body: { case: "publishAck", value: { id: 1, viewers: 3, queueMs: 12.5 } } });
    socket.says({ body: { case: "publishKeyframeRequest", value: { id: 1 } } });
    expect(heard).toEqual(["keyframe", expect.objectContaining({ viewers: 3, queueMs: 12.5 }), "keyframe"]);
  });
});
