import type { Hello, ServerMessage } from "@framewire/schema/session";
import { type Millis, type Moment, now } from "../units.ts";
import {
  type ClientBody,
  type Init,
  type Plain,
  readServerMessage,
  WireError,
  writeClientMessage,
} from "../wire/index.ts";
import type { ServerClock } from "./clock.ts";
import { subprotocol } from "./subprotocol.ts";
import type { DisconnectReason } from "./types.ts";

/** Pings that follow each other quickly, until the clock is known well. */
const quickPings = 4;
const quickPing: Millis = 150;
/** Between pings later on. */
const slowPing: Millis = 2_000;
/** Without any message for this long the connection is taken for dead. */
const silence: Millis = 5_000;
/** How long a session may take to open. */
const handshake: Millis = 10_000;
/** A timer this late tells that the machine slept or the page was frozen. */
const late: Millis = 2_500;
const tick: Millis = 500;

export interface LinkEvents {
  message(message: Plain<ServerMessage>, at: Moment): void;
  /** Called once, last. */
  close(reason: DisconnectReason, message: string): void;
}

/** One WebSocket, from its opening to its end. */
export class Link {
  readonly #socket: WebSocket;
  readonly #events: LinkEvents;
  readonly #clock: ServerClock;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #openedAt = now();
  #heardAt = now();
  #tickedAt = now();
  #pingedAt: Moment = 0;
  #pings = 0;
  #welcome = false;
  #closed = false;

  constructor(url: URL, hello: Init<Hello>, clock: ServerClock, events: LinkEvents, Socket: typeof WebSocket) {
    this.#events = events;
    this.#clock = clock;
    this.#socket = new Socket(url, [subprotocol]);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.send({ case: "hello", value: hello });
    this.#socket.onmessage = ({ data }: MessageEvent<unknown>) => this.#receive(data);
    this.#socket.onclose = (event) => this.#end("unreachable", closeText(event));
    // One that was begun before may be open by now, or have failed.
    if (this.#socket.readyState === WebSocketState.open) this.send({ case: "hello", value: hello });
    else if (this.#socket.readyState === WebSocketState.closed) {
      queueMicrotask(() => this.#end("unreachable", "the connection could not be made"));
    }
    this.#timer = setInterval(() => this.#watch(), tick);
  }

  send(body: ClientBody): void {
    this.sendBytes(writeClientMessage(body));
  }

  /** Sends a ClientMessage in wire form. */
  sendBytes(message: Uint8Array<ArrayBuffer>): void {
    if (this.#socket.readyState === WebSocketState.open) this.#socket.send(message);
  }

  /** Bytes that wait for the network. */
  get backlog(): number {
    return this.#socket.bufferedAmount;
  }

  /** Closes the connection; no event follows but close. */
  close(reason: DisconnectReason, message = ""): void {
    this.#end(reason, message);
  }

  /** Asks for a sign of life within two seconds: the network may have changed. */
  probe(): void {
    this.#heardAt = Math.min(this.#heardAt, now() - silence + 2_000);
    this.#ping();
  }

  #receive(data: unknown): void {
    const at = now();
    this.#heardAt = at;
    try {
      if (!(data instanceof ArrayBuffer)) throw new WireError("the server sent text on the binary protocol");
      this.#message(readServerMessage(data), at);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#end("unreadable", error.message);
    }
  }

  #message(message: Plain<ServerMessage>, at: Moment): void {
    const { body } = message;
    if (body.case === "welcome") {
      this.#welcome = true;
      this.#clock.hint(body.value.serverTimeUnixUs / 1000, at);
      this.#ping();
    } else if (body.case === "pong") {
      const { clientTimeUnixUs, serverReceivedUnixUs, serverSentUnixUs } = body.value;
      this.#clock.add(clientTimeUnixUs / 1000, serverReceivedUnixUs / 1000, serverSentUnixUs / 1000, at);
    }
    if (!this.#closed) this.#events.message(message, at);
  }

  #ping(): void {
    this.#pings++;
    this.#pingedAt = now();
    this.send({ case: "ping", value: { clientTimeUnixUs: Math.round(this.#pingedAt * 1000) } });
  }

  #watch(): void {
    const at = now();
    const slept = at - this.#tickedAt > late;
    this.#tickedAt = at;
    if (slept) return this.probe();
    if (!this.#welcome) {
      if (at - this.#openedAt > handshake) this.#end("unreachable", "the server did not answer");
      return;
    }
    if (at - this.#heardAt > silence) return this.#end("silent", "nothing came from the server for 5 seconds");
    if (at - this.#pingedAt >= (this.#pings < quickPings ? quickPing : slowPing)) this.#ping();
  }

  #end(reason: DisconnectReason, message: string): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    // A socket that still connects reports its failure once more.
    this.#socket.onerror = null;
    this.#socket.close();
    this.#events.close(reason, message);
  }
}

/** WebSocket.OPEN; named here so that a given WebSocket class needs no statics. */
const WebSocketState = { open: 1, closed: 3 } as const;

function closeText(event: CloseEvent): string {
  return event.reason || (event.wasClean ? `the server closed the connection (${event.code})` : "the connection broke");
}
