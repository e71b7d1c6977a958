import type { Directive } from "@framewire/schema/control";
import type { ServerMessage } from "@framewire/schema/session";
import { Emitter } from "../emitter.ts";
import { type Millis, type Moment, now } from "../units.ts";
import { type ClientBody, nameOf, type Plain } from "../wire/index.ts";
import { Backoff } from "./backoff.ts";
import { Choice } from "./choice.ts";
import { ServerClock } from "./clock.ts";
import { Commands } from "./commands.ts";
import { decodableTypes } from "./decodable.ts";
import { FramewireError } from "./errors.ts";
import { Link } from "./link.ts";
import { Persistence } from "./persistence.ts";
import { Position } from "./position.ts";
import { expiryOf, renewAfter } from "./token.ts";
import type {
  ChosenTracks,
  ClientEvents,
  ConnectionState,
  ConnectOptions,
  DisconnectReason,
  Report,
  SessionState,
  Settings,
  StreamInfo,
  StreamStarted,
  TrackChoice,
} from "./types.ts";
import { endpoint } from "./url.ts";

const protocolVersion = 1;
/** A connection that lasted this long has proven itself, and waiting times start over. */
const proven: Millis = 10_000;

/** Ends after which coming back would only meet the same answer. */
const final: ReadonlySet<DisconnectReason> = new Set<DisconnectReason>([
  "client_left",
  "unsupported_version",
  "unauthorized",
  "token_expired",
  "kicked",
  "origin_refused",
  "requested",
]);

/** A session with a server, kept over any number of connections. Made by connect. */
export class FramewireClient extends Commands {
  readonly #events = new Emitter<ClientEvents>();
  readonly #options: ConnectOptions;
  readonly #url: URL;
  readonly #clock = new ServerClock();
  readonly #backoff = new Backoff();
  readonly #position = new Position();
  readonly #choice: Choice;
  readonly #online = () => this.reconnectNow();

  #link: Link | undefined;
  #state: ConnectionState = { phase: "connecting", attempt: 1 };
  #session: SessionState | undefined;
  #settings: Settings;
  #stream: string | undefined;
  #started: StreamStarted | undefined;
  /** The server may not know of the viewer's choice of tracks. */
  #untold = true;
  #subscribed = false;
  #goodbye: { reason: DisconnectReason; message: string } | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** The token that the server has, and when it is to be replaced. */
  #token = "";
  #renewal: ReturnType<typeof setTimeout> | undefined;
  readonly #persistence = new Persistence();
  #openedAt: Moment = 0;
  #attempt = 1;
  #reconnects = 0;

  constructor(url: string | URL, options: ConnectOptions) {
    super();
    this.#url = endpoint(url);
    this.#options = options;
    this.#choice = new Choice(options.chosenTracks);
    this.#stream = options.stream ?? this.#url.searchParams.get("stream") ?? undefined;
    this.#settings = { volume: 1, muted: false, latencyTargetMs: 0, ...options.settings };
    globalThis.addEventListener?.("online", this.#online);
    // Listeners that the caller adds now hear of the first attempt, too.
    queueMicrotask(() => void this.#connect());
  }

  /** Calls listener whenever it happens, until the returned function is called. */
  readonly on: Emitter<ClientEvents>["on"] = (type, listener, signal) => this.#events.on(type, listener, signal);

  get connection(): ConnectionState {
    return this.#state;
  }

  /** What the server last said of the session; kept while reconnecting. */
  get session(): SessionState | undefined {
    return this.#session;
  }

  get clock(): ServerClock {
    return this.#clock;
  }

  /** Connections made before the present one. */
  get reconnects(): number {
    return this.#reconnects;
  }

  /** Settings to begin the next connection with; commands that succeed change them, too. */
  set settings(settings: Partial<Settings>) {
    this.#settings = { ...this.#settings, ...settings };
  }

  get settings(): Settings {
    return this.#settings;
  }

  /** Whether the session is to come back paused if the connection breaks. */
  setResumePaused(paused: boolean): void {
    this.#position.paused = paused;
  }

  /** What the viewer has chosen of the tracks, for another client to go on with. */
  get chosenTracks(): ChosenTracks {
    return this.#choice.made;
  }

  /** Tracks to choose once there is a session again; false where the stream, as it was, has no such track. */
  chooseTracks(tracks: TrackChoice): boolean {
    if (!this.#choice.fits(tracks, this.#started)) return false;
    this.#choice.make(tracks, this.#started);
    return true;
  }

  override async selectTracks(tracks: TrackChoice): Promise<void> {
    await super.selectTracks(tracks);
    this.#choice.make(tracks, this.#started);
  }

  override async subscribeStreams(enabled = true): Promise<readonly StreamInfo[]> {
    const streams = await super.subscribeStreams(enabled);
    this.#subscribed = enabled;
    return streams;
  }

  /** Sends how playback goes. */
  report(report: Report): void {
    this.#link?.send({ case: "playbackReport", value: report });
  }

  /** Tries at once where an attempt is waited for; probes the connection where one is open. */
  reconnectNow(): void {
    if (this.#state.phase === "reconnecting") void this.#connect();
    else if (this.#state.phase === "open") this.#link?.probe();
  }

  /** Gives the connection up and makes another. */
  restart(message: string): void {
    this.#link?.close("silent", message);
  }

  /** Asks for a token anew, and gives it to the server in place of the present one. */
  async renewToken(): Promise<void> {
    clearTimeout(this.#renewal);
    const token = await this.#askToken();
    if (token === this.#token || this.#state.phase !== "open") return;
    await this.refreshToken(token);
    this.#token = token;
    this.#renewInTime();
  }

  /** Ends the session for good. */
  close(): void {
    if (this.#state.phase === "closed") return;
    clearTimeout(this.#retry);
    this.#sessionOver();
    globalThis.removeEventListener?.("online", this.#online);
    const link = this.#link;
    this.#link = undefined;
    link?.close("requested");
    this.rejectAll(new FramewireError("closed", "the client was closed"));
    this.#setState({ phase: "closed", reason: "requested", message: "" });
  }

  protected override send(body: ClientBody): boolean {
    if (this.#state.phase !== "open" || !this.#link) return false;
    // Of a stream that is begun anew the server sends what it would send to anybody.
    if (body.case === "command" && body.value.body?.case === "play") this.#untold = true;
    this.#link.send(body);
    return true;
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#retry);
    if (this.#state.phase === "closed" || this.#link) return;
    this.#setState({ phase: "connecting", attempt: this.#attempt });
    this.#goodbye = undefined;
    try {
      this.#open(await this.#askToken());
    } catch (error) {
      this.#ended("unreachable", error instanceof Error ? error.message : String(error));
    }
  }

  async #askToken(): Promise<string> {
    const { token } = this.#options;
    return typeof token === "function" ? token() : (token ?? "");
  }

  /** Who asks for tokens is asked again before one expires. A renewal that fails is tried anew with the next connection. */
  #renewInTime(): void {
    clearTimeout(this.#renewal);
    const expiry = typeof this.#options.token === "function" ? expiryOf(this.#token) : undefined;
    if (expiry === undefined) return;
    const wait = renewAfter(expiry, now() + (this.#clock.offset ?? 0));
    this.#renewal = setTimeout(() => this.renewToken().catch(() => {}), wait);
  }

  #open(token: string): void {
    if (this.#state.phase === "closed" || this.#link) return;
    this.#token = token;
    const options = this.#options;
    const resume = this.#position.resume;
    const url = new URL(this.#url);
    if (resume || !this.#stream) url.searchParams.delete("stream");
    else url.searchParams.set("stream", this.#stream);
    const hello = {
      protocolVersion,
      clientName: options.clientName ?? "framewire-player",
      clientVersion: options.clientVersion ?? "0.1.0",
      decodableTypes: options.decodableTypes ?? decodableTypes(),
      token,
      resume,
      settings: this.#settings,
    };
    this.#clock.reset();
    const link: Link = new Link(
      url,
      hello,
      this.#clock,
      {
        message: (message, at) => this.#receive(message, at),
        close: (reason, message) => {
          if (this.#link === link) this.#ended(reason, message);
        },
      },
      options.WebSocket ?? WebSocket,
    );
    this.#link = link;
  }

  #ended(reason: DisconnectReason, message: string): void {
    this.#link = undefined;
    this.#sessionOver();
    const why = this.#goodbye ?? { reason, message };
    this.rejectAll(new FramewireError("connection_lost", why.message || "the connection broke"));
    if (this.#openedAt && now() - this.#openedAt > proven) this.#backoff.reset();
    this.#openedAt = 0;
    const another = why.reason === "token_expired" && typeof this.#options.token === "function";
    if ((final.has(why.reason) && !another) || this.#options.reconnect === false) {
      globalThis.removeEventListener?.("online", this.#online);
      this.#setState({ phase: "closed", ...why });
      return;
    }
    const wait = this.#backoff.next();
    this.#attempt++;
    this.#setState({ phase: "reconnecting", attempt: this.#attempt, retryAt: now() + wait, ...why });
    this.#retry = setTimeout(() => void this.#connect(), wait);
  }

  #receive({ body }: Plain<ServerMessage>, at: Moment): void {
    switch (body.case) {
      case "fragment":
        this.#position.fragment(body.value);
        return this.#events.emit("fragment", body.value);
      case "pong": {
        const { offset, roundTrip } = this.#clock;
        if (offset === undefined || roundTrip === undefined) return;
        return this.#events.emit("clock", { offset, roundTrip });
      }
      case "sessionState":
        return this.#sessionState(body.value);
      case "commandResult":
        return this.resolve(body.value.id, body.value.outcome);
      case "gap":
        return this.#events.emit("gap", {
          stream: body.value.stream,
          reason: nameOf("GapReason", body.value.reason),
          from: body.value.fromSeconds,
          to: body.value.toSeconds,
        });
      case "streamStarted":
        return this.#streamStarted(body.value);
      case "streamWaiting":
        return this.#events.emit("waiting", {
          stream: body.value.stream,
          reason: nameOf("WaitingReason", body.value.reason),
          since: body.value.sinceUnixUs / 1000,
          message: body.value.message,
        });
      case "streamEnded":
        this.#position.ended();
        return this.#events.emit("ended", {
          stream: body.value.stream,
          reason: nameOf("StreamEndReason", body.value.reason),
          message: body.value.message,
        });
      case "streamList":
        return this.#events.emit("streams", body.value.streams);
      case "directive":
        return this.#directive(body.value);
      case "welcome":
        return this.#welcome(body.value.sessionId, body.value.server, at);
      case "goodbye":
        this.#goodbye = { reason: nameOf("GoodbyeReason", body.value.reason), message: body.value.message };
        this.#backoff.holdBack(body.value.retryAfterMs);
        return this.#link?.close(this.#goodbye.reason, body.value.message);
      case "publishStarted": // this client does not publish
      case "publishAck":
      case "publishKeyframeRequest":
      case "publishEnded":
      case undefined: // a newer server speaks
        return;
      default:
        body satisfies never;
    }
  }

  #welcome(sessionId: string, server: string, at: Moment): void {
    if (this.#attempt > 1) this.#reconnects++;
    this.#openedAt = at;
    this.#untold = true;
    this.#setState({ phase: "open", sessionId, server });
    this.#renewInTime();
    // A subscription is the session's, and this is another one.
    this.#persistence.ask(async () => {
      if (this.#subscribed) this.#events.emit("streams", await super.subscribeStreams());
    });
  }

  /** Ends what waits to be asked of the session. */
  #sessionOver(): void {
    clearTimeout(this.#renewal);
    this.#persistence.end();
  }

  #streamStarted(started: StreamStarted): void {
    const untold = this.#untold || started.stream !== this.#started?.stream;
    this.#untold = false;
    this.#started = started;
    this.#position.started(started);
    this.#events.emit("started", started);
    if (!untold) return;
    this.#persistence.ask(async () => {
      // By now another stream may play, which was asked for by itself.
      const tracks = this.#started?.stream === started.stream && this.#choice.of(this.#started);
      if (tracks) await super.selectTracks(tracks);
    });
  }

  #sessionState(session: SessionState): void {
    this.#session = session;
    this.#stream = session.stream || undefined;
    this.#settings = {
      volume: session.volume,
      muted: session.muted,
      latencyTargetMs: session.latencyTargetMs,
    };
    this.#position.session(session);
    this.#events.emit("session", session);
  }

  #directive({ id, body }: Plain<Directive>): void {
    const answer = (error?: FramewireError) =>
      this.#link?.send({
        case: "directiveResult",
        value: { id, outcome: error ? { case: "error", value: error.toWire() } : { case: "done", value: {} } },
      });
    if (body.case === undefined) {
      answer(new FramewireError("unsupported", "this player does not know the directive"));
    } else {
      this.#events.emit("directive", { body, answer });
    }
  }

  #setState(state: ConnectionState): void {
    this.#state = state;
    this.#events.emit("connection", state);
  }
}
