import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ErrorCode } from "@framewire/schema/control";
import { ClientMessageSchema, GoodbyeReason, ServerMessageSchema } from "@framewire/schema/session";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Backoff } from "../src/client/backoff.ts";
import { ServerClock } from "../src/client/clock.ts";
import { type ConnectionState, connect, endpoint, FramewireError } from "../src/client/index.ts";

describe("endpoint", () => {
  it.each([
    ["wss://h/ws?stream=a", "wss://h/ws?stream=a"],
    ["https://h", "wss://h/ws"],
    ["http://h:81/x/ws#y", "ws://h:81/x/ws"],
    ["/ws?stream=b", "wss://page/ws?stream=b"],
  ])("%s is %s", (given, want) => {
    expect(endpoint(given, "https://page/watch/b").href).toBe(want);
  });
  it("refuses other schemes", () => {
    expect(() => endpoint("ftp://h/ws")).toThrow(TypeError);
  });
});

describe("Backoff", () => {
  it("doubles its bound from 250 ms to 5 s, and starts over", () => {
    const backoff = new Backoff(() => 1);
    expect(Array.from({ length: 7 }, () => backoff.next())).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000]);
    backoff.reset();
    expect(backoff.next()).toBe(250);
  });
  it("spreads over the whole bound", () => {
    expect(new Backoff(() => 0).next()).toBe(0);
  });
  it("honours what the server asked for, once", () => {
    const backoff = new Backoff(() => 0.5);
    backoff.holdBack(3000);
    expect(backoff.next()).toBe(3125);
    expect(backoff.next()).toBe(250);
  });
});

describe("ServerClock", () => {
  it("keeps the offset of the shortest round trip", () => {
    const clock = new ServerClock();
    clock.add(1000, 6050, 6060, 1200); // 190 ms
    clock.add(2000, 7010, 7010, 2020); // 20 ms: 5000 ahead
    clock.add(3000, 8200, 8200, 3210); // 210 ms, skewed
    expect(clock.offset).toBe(5000);
    expect(clock.roundTrip).toBe(210);
  });
  it("takes a hint until something was measured", () => {
    const clock = new ServerClock();
    clock.hint(900, 1000);
    expect(clock.offset).toBe(-100);
    clock.add(1000, 1000, 1000, 3000);
    expect(clock.offset).toBe(-1000);
  });
  it("forgets samples of more than a minute ago", () => {
    const clock = new ServerClock();
    clock.add(0, 100, 100, 2);
    clock.add(70_000, 70_250, 70_250, 70_100);
    expect(clock.offset).toBe(200);
  });
});

/** The server's clock, in Unix microseconds. */
const serverNow = () => BigInt(Date.now()) * 1000n;

/** A WebSocket whose other end is the test. */
class FakeSocket {
  static all: FakeSocket[] = [];
  readyState = 0;
  binaryType = "";
  sent: Uint8Array[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string; wasClean: boolean }) => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(readonly url: URL) {
    FakeSocket.all.push(this);
  }
  send(data: Uint8Array): void {
    this.sent.push(data);
  }
  close(): void {
    this.readyState = 3;
  }
  accept(): void {
    this.readyState = 1;
    this.onopen?.();
    this.tell({ body: { case: "welcome", value: { sessionId: "s", server: "x", serverTimeUnixUs: serverNow() } } });
  }
  tell(init: Parameters<typeof create<typeof ServerMessageSchema>>[1]): void {
    this.onmessage?.({ data: toBinary(ServerMessageSchema, create(ServerMessageSchema, init)).slice().buffer });
  }
  break(): void {
    this.readyState = 3;
    this.onclose?.({ code: 1006, reason: "", wasClean: false });
  }
  /** Bodies of one kind that the client has sent. */
  heard<C extends string>(kind: C) {
    return this.sent.map((data) => fromBinary(ClientMessageSchema, data).body).filter((body) => body.case === kind);
  }
}

describe("connect", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    FakeSocket.all = [];
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  async function open(options = {}) {
    const client = connect("ws://h/ws?stream=demo", {
      WebSocket: FakeSocket as unknown as typeof WebSocket,
      ...options,
    });
    const states: ConnectionState[] = [];
    client.on("connection", (state) => states.push(state));
    await vi.advanceTimersByTimeAsync(0);
    return { client, states, socket: () => FakeSocket.all.at(-1) as FakeSocket };
  }

  it("says Hello first, with settings, and the stream in the URL", async () => {
    const { client, socket } = await open({ settings: { muted: true }, decodableTypes: ["video/x"] });
    socket().accept();
    expect(socket().url.href).toBe("ws://h/ws?stream=demo");
    expect(fromBinary(ClientMessageSchema, socket().sent[0] as Uint8Array).body).toMatchObject({
      case: "hello",
      value: { protocolVersion: 1, decodableTypes: ["video/x"], settings: { volume: 1, muted: true } },
    });
    client.close();
  });

  it("chooses the tracks that the viewer chose in another session, and the like of another stream", async () => {
    const { client, socket } = await open();
    const track = (id: number, kind: number, language = "") => ({ id, kind, language });
    const begins = (stream: string, ...tracks: object[]) =>
      socket().tell({ body: { case: "streamStarted", value: { stream, instance: "i", epoch: 1, tracks } } });
    const asked = () =>
      socket()
        .heard("command")
        .flatMap(({ value }) => {
          const { body } = value as { body: { case: string; value: object } };
          return body.case === "selectTracks" ? [body.value] : [];
        });
    socket().accept();
    begins("demo", track(1, 1), track(2, 2, "en"), track(3, 2, "de"));
    expect(asked()).toEqual([]);
    const done = client.selectTracks({ video: 0, audio: 3 });
    const [command] = socket().heard("command");
    socket().tell({
      body: {
        case: "commandResult",
        value: { id: (command as { value: { id: number } }).value.id, outcome: { case: "done", value: {} } },
      },
    });
    await done;

    socket().break();
    await vi.advanceTimersByTimeAsync(5000);
    socket().accept();
    begins("demo", track(1, 1), track(2, 2, "en"), track(3, 2, "de"));
    expect(asked()).toMatchObject([{ videoTrackId: 0, audioTrackId: 3 }]);
    begins("demo", track(1, 1), track(2, 2, "en"), track(3, 2, "de"));
    expect(asked(), "after another epoch").toHaveLength(1);

    begins("other", track(1, 1), track(2, 2, "fr"), track(3, 2, "it"), track(4, 2, "de"));
    expect(asked().at(-1)).toMatchObject({ videoTrackId: 0, audioTrackId: 4 });
    begins("silent", track(7, 1));
    expect(asked().at(-1)).toMatchObject({ videoTrackId: 0 });
    client.close();

    const another = await open({ chosenTracks: client.chosenTracks });
    socket().accept();
    begins("demo", track(1, 1), track(2, 2, "en"), track(3, 2, "de"));
    expect(asked(), "in another client").toMatchObject([{ videoTrackId: 0, audioTrackId: 3 }]);
    another.client.close();
  });

  it("matches answers by id, and rejects with code and field", async () => {
    const { client, socket } = await open();
    socket().accept();
    const volume = client.setVolume(7);
    const pause = client.pause();
    expect(socket().heard("command")).toHaveLength(2);
    socket().tell({ body: { case: "commandResult", value: { id: 2, outcome: { case: "done", value: {} } } } });
    socket().tell({
      body: {
        case: "commandResult",
        value: {
          id: 1,
          outcome: { case: "error", value: { code: 1, message: "no", field: "command.set_volume.volume" } },
        },
      },
    });
    await expect(pause).resolves.toBeUndefined();
    await expect(volume).rejects.toMatchObject({ code: "invalid_argument", field: "command.set_volume.volume" });
    client.close();
  });

  it("tells when a command that came too fast may come again", async () => {
    const { client, socket } = await open();
    socket().accept();
    const mute = client.setMuted(true);
    socket().tell({
      body: {
        case: "commandResult",
        value: { id: 1, outcome: { case: "error", value: { code: ErrorCode.TOO_MANY_COMMANDS, retryAfterMs: 700 } } },
      },
    });
    await expect(mute).rejects.toMatchObject({ code: "too_many_commands", retryAfter: 700 });
    const error = await mute.catch((refused: FramewireError) => refused);
    expect(error?.toWire(), "in the answer to a directive").toMatchObject({ retryAfterMs: 700 });
    client.close();
  });

  describe("what a new session asks for by itself", () => {
    const commands = (socket: FakeSocket) =>
      socket.heard("command").map(({ value }) => value as { id: number; body: { case: string } });
    const answer = (socket: FakeSocket, outcome: object) => {
      const id = commands(socket).at(-1)?.id ?? 0;
      socket.tell({ body: { case: "commandResult", value: { id, outcome } } } as Parameters<FakeSocket["tell"]>[0]);
    };
    const list = (...names: string[]) => ({
      case: "streams",
      value: { streams: names.map((name) => ({ name })) },
    });
    const tooFast = { case: "error", value: { code: ErrorCode.TOO_MANY_COMMANDS, retryAfterMs: 700 } };
    const refused = { case: "error", value: { code: ErrorCode.PERMISSION_DENIED } };

    async function subscribedAnew() {
      const opened = await open();
      const { client, socket } = opened;
      socket().accept();
      const subscribed = client.subscribeStreams();
      answer(socket(), list("a"));
      await subscribed;
      const lists: string[][] = [];
      client.on("streams", (streams) => lists.push(streams.map(({ name }) => name)));
      socket().break();
      await vi.advanceTimersByTimeAsync(300);
      socket().accept();
      expect(commands(socket())).toHaveLength(1);
      return { ...opened, lists };
    }

    it("comes again when the server says that it came too fast", async () => {
      const { client, socket, lists } = await subscribedAnew();
      answer(socket(), tooFast);
      await vi.advanceTimersByTimeAsync(690);
      expect(commands(socket())).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(20);
      expect(commands(socket())).toMatchObject([
        { body: { case: "subscribeStreams" } },
        { body: { case: "subscribeStreams" } },
      ]);
      answer(socket(), list("a", "b"));
      await vi.advanceTimersByTimeAsync(2_000);
      expect(lists).toEqual([["a", "b"]]);
      expect(commands(socket())).toHaveLength(2);
      client.close();
    });

    it("does not come again when it is refused, or wanted no more", async () => {
      const first = await subscribedAnew();
      answer(first.socket(), refused);
      await vi.advanceTimersByTimeAsync(2_000);
      expect(commands(first.socket())).toHaveLength(1);
      first.client.close();

      const second = await subscribedAnew();
      answer(second.socket(), tooFast);
      await vi.advanceTimersByTimeAsync(0);
      const ended = second.client.subscribeStreams(false);
      answer(second.socket(), list());
      await ended;
      await vi.advanceTimersByTimeAsync(2_000);
      expect(commands(second.socket())).toHaveLength(2);
      second.client.close();
    });

    it("waits for nothing once the session is over", async () => {
      const { client, socket } = await subscribedAnew();
      answer(socket(), tooFast);
      await vi.advanceTimersByTimeAsync(0);
      client.close();
      expect(vi.getTimerCount()).toBe(0);
    });

    it("chooses tracks again that were chosen too fast", async () => {
      const { client, socket } = await open({ chosenTracks: { audio: "none" } });
      socket().accept();
      const tracks = [
        { id: 1, kind: 1 },
        { id: 2, kind: 2 },
      ];
      socket().tell({ body: { case: "streamStarted", value: { stream: "demo", instance: "i", epoch: 1, tracks } } });
      answer(socket(), tooFast);
      await vi.advanceTimersByTimeAsync(710);
      expect(commands(socket())).toMatchObject([
        { body: { case: "selectTracks" } },
        { body: { case: "selectTracks", value: { audioTrackId: 0 } } },
      ]);
      client.close();
    });
  });

  it("rejects commands when there is no one to ask, and when the connection breaks", async () => {
    const { client, socket } = await open();
    await expect(client.pause()).rejects.toMatchObject({ code: "not_connected" });
    socket().accept();
    const lost = client.pause();
    socket().break();
    await expect(lost).rejects.toBeInstanceOf(FramewireError);
    await expect(lost).rejects.toMatchObject({ code: "connection_lost" });
    client.close();
  });

  it("comes back with its position, and counts it", async () => {
    const { client, states, socket } = await open();
    socket().accept();
    socket().tell({ body: { case: "streamStarted", value: { stream: "demo", instance: "i", epoch: 1 } } });
    socket().tell({ body: { case: "sessionState", value: { stream: "demo", playback: 3, live: true, volume: 0.5 } } });
    socket().tell({ body: { case: "fragment", value: { sequence: 41n, epoch: 1 } } });
    socket().break();
    expect(states.at(-1)?.phase).toBe("reconnecting");
    await vi.advanceTimersByTimeAsync(300);
    expect(FakeSocket.all).toHaveLength(2);
    socket().accept();
    expect(socket().heard("hello")[0]?.value).toMatchObject({
      resume: { stream: "demo", instance: "i", nextSequence: 42n, paused: false, timeShifted: false },
      settings: { volume: 0.5 },
    });
    expect(client.reconnects).toBe(1);
    client.close();
  });

  it("waits as long as Goodbye asks, and tells its reason", async () => {
    const { client, states, socket } = await open();
    socket().accept();
    socket().tell({ body: { case: "goodbye", value: { reason: 3, retryAfterMs: 4000, message: "back soon" } } });
    expect(states.at(-1)).toMatchObject({ phase: "reconnecting", reason: "restarting", message: "back soon" });
    await vi.advanceTimersByTimeAsync(3900);
    expect(FakeSocket.all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(400);
    expect(FakeSocket.all).toHaveLength(2);
    client.close();
  });

  it("does not come back after it was kicked", async () => {
    const { states, socket } = await open();
    socket().accept();
    socket().tell({ body: { case: "goodbye", value: { reason: 13, message: "out" } } });
    expect(states.at(-1)).toMatchObject({ phase: "closed", reason: "kicked", message: "out" });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.all).toHaveLength(1);
  });

  it("gives a silent connection up after five seconds", async () => {
    const { client, states, socket } = await open();
    socket().accept();
    await vi.advanceTimersByTimeAsync(4_400);
    expect(states.at(-1)?.phase).toBe("open");
    await vi.advanceTimersByTimeAsync(1_200);
    expect(states.some((state) => state.phase === "reconnecting" && state.reason === "silent")).toBe(true);
    client.close();
  });

  /** A token like a JSON Web Token that expires in so many seconds. */
  const expiring = (seconds: number, id: string) => {
    const payload = { exp: Math.floor(Date.now() / 1000) + seconds, jti: id };
    return `e30.${btoa(JSON.stringify(payload)).replaceAll("=", "")}.${id}`;
  };

  it("gives a new token in time where tokens are asked for", async () => {
    const tokens = [expiring(300, "a"), expiring(600, "b")];
    const { client, socket } = await open({ token: () => tokens.shift() ?? "none" });
    socket().accept();
    const renewals = () => socket().heard("command");
    const play = async (seconds: number) => {
      for (let s = 0; s < seconds; s += 2) {
        await vi.advanceTimersByTimeAsync(2_000);
        socket().tell({ body: { case: "streamList", value: {} } }); // the connection is not silent
      }
    };
    await play(266);
    expect(renewals()).toHaveLength(0);
    await play(26);
    expect(renewals()).toMatchObject([{ value: { body: { case: "refreshToken", value: { token: /\.b$/ } } } }]);
    client.close();
  });

  it("comes back after its token has expired only where it can ask for another", async () => {
    for (const [token, phase] of [
      ["fixed", "closed"],
      [() => "another", "reconnecting"],
    ] as const) {
      const { client, socket } = await open({ token });
      socket().accept();
      socket().tell({ body: { case: "goodbye", value: { reason: GoodbyeReason.TOKEN_EXPIRED } } });
      expect(client.connection.phase).toBe(phase);
      client.close();
    }
  });

  it("asks for a token before every connection", async () => {
    let asked = 0;
    const { client, socket } = await open({ token: async () => `t${++asked}` });
    socket().accept();
    socket().break();
    await vi.advanceTimersByTimeAsync(300);
    socket().accept();
    expect(socket().heard("hello")[0]?.value).toMatchObject({ token: "t2" });
    client.close();
  });
});
