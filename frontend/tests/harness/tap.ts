import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { TrackKind } from "@framewire/schema/media";
import {
  type ClientMessage,
  ClientMessageSchema,
  type ServerMessage,
  ServerMessageSchema,
} from "@framewire/schema/session";
import { FrameReader } from "./frames.ts";
import { until } from "./until.ts";

type ServerBody = ServerMessage["body"];
type ClientBody = ClientMessage["body"];
type Named<Body extends { case: string | undefined; value?: unknown }, Case> =
  Extract<Body, { case: Case }> extends {
    value: infer Value;
  }
    ? Value
    : never;

/** What passed, in the order in which it did. */
export type Passed =
  | { readonly from: "server"; readonly body: ServerBody; readonly bytes: number; readonly track?: "video" | "audio" }
  | { readonly from: "client"; readonly body: ClientBody; readonly bytes: number };

/**
 * Stands between pages and the server and reads what passes on WebSockets, so
 * that tests can say what was on the wire. Everything else it hands through.
 */
export class Tap {
  /** Every message of every WebSocket so far; payloads of fragments are left out. */
  readonly passed: Passed[] = [];
  /** WebSockets that the server accepted. */
  sockets = 0;
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(target: string): Promise<Tap> {
    const server = createServer();
    const tap = new Tap(server);
    const [host, port] = target.split(":");
    server.on("connection", (client) => tap.#join(client, connect(Number(port), host)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return tap;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  /** Messages of a kind that the server sent, since a position in passed. */
  received<Case extends Exclude<ServerBody["case"], undefined>>(name: Case, since = 0): Named<ServerBody, Case>[] {
    return this.passed
      .slice(since)
      .flatMap(({ from, body }) =>
        from === "server" && body.case === name ? [body.value as Named<ServerBody, Case>] : [],
      );
  }

  /** Messages of a kind that pages sent, since a position in passed. */
  sent<Case extends Exclude<ClientBody["case"], undefined>>(name: Case, since = 0): Named<ClientBody, Case>[] {
    return this.passed
      .slice(since)
      .flatMap(({ from, body }) =>
        from === "client" && body.case === name ? [body.value as Named<ClientBody, Case>] : [],
      );
  }

  /** Bytes of media of a kind that the server sent, since a position in passed. */
  media(kind: "video" | "audio", since = 0): number {
    return this.passed
      .slice(since)
      .reduce((sum, message) => (message.from === "server" && message.track === kind ? sum + message.bytes : sum), 0);
  }

  /**
   * Waits until the server has answered two pings from now on: what it had to
   * send before the first answer has passed, and a stretch of its ordinary
   * sending after that.
   *
   * @returns the position in passed from which on the second stretch runs.
   */
  async settled(): Promise<number> {
    const pongs = (since: number) => this.received("pong", since).length;
    const begin = this.passed.length;
    await until("an answer to a ping", () => pongs(begin) > 0);
    const middle = this.passed.length;
    await until("another answer to a ping", () => pongs(middle) > 0);
    return middle;
  }

  #join(client: Socket, server: Socket): void {
    for (const socket of [client, server]) {
      this.#open.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {}); // close follows
      socket.on("close", () => {
        this.#open.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    let upgrade: boolean | undefined;
    const kinds = new Map<number, "video" | "audio">();
    const up = new FrameReader(({ data }) => this.#fromClient(data));
    const down = new FrameReader(({ binary, data }) => binary && this.#fromServer(data, kinds));
    client.on("data", (bytes: Buffer) => {
      if (upgrade === undefined) {
        // Browsers open a connection of its own for a WebSocket.
        upgrade = /^upgrade:\s*websocket/im.test(bytes.toString("latin1"));
        if (upgrade) this.sockets++;
      }
      if (upgrade) up.push(bytes);
      server.write(bytes);
    });
    server.on("data", (bytes: Buffer) => {
      if (upgrade) down.push(bytes);
      client.write(bytes);
    });
  }

  #fromClient(data: Buffer): void {
    const { body } = fromBinary(ClientMessageSchema, data);
    this.passed.push({ from: "client", body, bytes: data.length });
  }

  #fromServer(data: Buffer, kinds: Map<number, "video" | "audio">): void {
    const { body } = fromBinary(ServerMessageSchema, data);
    if (body.case === "streamStarted") {
      kinds.clear();
      for (const { id, kind } of body.value.tracks) kinds.set(id, kind === TrackKind.AUDIO ? "audio" : "video");
    }
    const track = body.case === "fragment" ? kinds.get(body.value.trackId) : undefined;
    if (body.case === "fragment") body.value.payload = new Uint8Array();
    this.passed.push({ from: "server", body, bytes: data.length, ...(track && { track }) });
  }
}
