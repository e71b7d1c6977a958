import type { ServerMessage } from "@framewire/schema/session";
import { Backoff } from "../client/backoff.ts";
import { ServerClock } from "../client/clock.ts";
import { Link } from "../client/link.ts";
import type { DisconnectReason } from "../client/types.ts";
import { endpoint } from "../client/url.ts";
import { Emitter } from "../emitter.ts";
import { type Millis, type Moment, now } from "../units.ts";
import { extendTables } from "../wire/fields.ts";
import { type Init, nameOf, type Plain } from "../wire/index.ts";
import { publishEnums, publishTables } from "../wire/publish-tables.ts";
import { writeSample } from "./sample.ts";
import type { PublishEndReason, PublisherEvents, PublishOptions, PublishState, PublishTrack, Sample } from "./types.ts";

const protocolVersion = 1;
/** A connection that lasted this long has proven itself, and waiting times start over. */
const proven: Millis = 10_000;
/** How long the end in good order may take. */
const parting: Millis = 2_000;

type Reason = PublishEndReason | DisconnectReason;

/** Ends after which coming back would only meet the same answer. */
const final: ReadonlySet<Reason> = new Set<Reason>([
  "finished",
  "bad_name",
  "unknown_stream",
  "bad_key",
  "taken_over",
  "removed",
  "limit",
  "unsupported",
  "malformed",
  "closed",
  "unsupported_version",
  "unauthorized",
  "token_expired",
  "kicked",
  "origin_refused",
  "requested",
]);

/** A stream that is published, over any number of connections. Made by publish. */
export class Publisher {
  readonly #events = new Emitter<PublisherEvents>();
  readonly #options: PublishOptions;
  readonly #url: URL;
  readonly #clock = new ServerClock();
  readonly #backoff = new Backoff();

  #tracks: readonly PublishTrack[];
  #link: Link | undefined;
  #state: PublishState = { phase: "connecting", attempt: 1 };
  #connecting = false;
  #id = 0;
  #attempt = 1;
  #liveAt: Moment = 0;
  #maxSampleBytes = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #finished: (() => void) | undefined;
  #ending: { reason: Reason; message: string } | undefined;
  /** Tracks whose samples are left out up to the next keyframe. */
  readonly #waiting = new Set<number>();

  constructor(url: string | URL, options: PublishOptions) {
    extendTables(publishTables);
    this.#url = endpoint(url);
    this.#url.searchParams.delete("stream");
    this.#options = options;
    this.#tracks = options.tracks ?? [];
    // Listeners that the caller adds now hear of the first attempt, too.
    queueMicrotask(() => void this.#connect());
  }

  /** Calls listener whenever it happens, until the returned function is called. */
  readonly on: Emitter<PublisherEvents>["on"] = (type, listener, signal) => this.#events.on(type, listener, signal);

  get state(): PublishState {
    return this.#state;
  }

  /** The server's clock. */
  get clock(): ServerClock {
    return this.#clock;
  }

  /** Bytes that wait for the network: an encoder is to slow down when they grow. */
  get backlog(): number {
    return this.#link?.backlog ?? 0;
  }

  /** Describes the samples that follow, in place of all tracks before. */
  setTracks(tracks: readonly PublishTrack[]): void {
    this.#tracks = tracks;
    if (this.#state.phase === "live") {
      this.#link?.send({ case: "publishTracks", value: { tracks: tracks.map(describe) } });
    } else {
      void this.#connect();
    }
    this.#awaitKeyframes();
  }

  /**
   * Sends a sample. It returns false for one that is left out: while there is no
   * connection, and afterwards up to the next keyframe of its track.
   *
   * @throws RangeError when it is larger than the server takes.
   */
  write(sample: Sample): boolean {
    if (this.#state.phase !== "live" || !this.#link) return false;
    if (sample.keyframe) this.#waiting.delete(sample.track);
    else if (this.#waiting.has(sample.track)) return false;
    if (sample.data.byteLength > this.#maxSampleBytes) {
      throw new RangeError(`a sample of ${sample.data.byteLength} bytes; the server takes ${this.#maxSampleBytes}`);
    }
    const { offset } = this.#clock;
    const at = sample.capturedAt;
    this.#link.sendBytes(writeSample(sample, at && offset !== undefined ? Math.round((at + offset) * 1000) : 0));
    return true;
  }

  /** Leaves out the samples of a track up to its next keyframe, as where the network is too slow. */
  skip(track: number): void {
    this.#waiting.add(track);
  }

  /** Ends the stream in good order: viewers are told that it is over. */
  async finish(): Promise<void> {
    if (this.#state.phase === "live") {
      this.#link?.send({ case: "publishEnd", value: {} });
      await new Promise<void>((resolve) => {
        this.#finished = resolve;
        setTimeout(resolve, parting);
      });
    }
    this.close();
  }

  /** Ends at once. Viewers are told that the publisher broke off, unless finish came before. */
  close(): void {
    this.#end({ reason: "requested", message: "" });
  }

  #awaitKeyframes(): void {
    this.#waiting.clear();
    for (const { id, sampleRate } of this.#tracks) if (!sampleRate) this.#waiting.add(id);
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#retry);
    if (this.#state.phase === "ended" || this.#link || this.#connecting || this.#tracks.length === 0) return;
    this.#connecting = true;
    this.#setState({ phase: "connecting", attempt: this.#attempt });
    try {
      const [token, key] = await Promise.all([ask(this.#options.token), ask(this.#options.key)]);
      if (this.#isEnded()) return;
      this.#open(token, key);
    } catch (error) {
      this.#broke("unreachable", error instanceof Error ? error.message : String(error));
    } finally {
      this.#connecting = false;
    }
  }

  #isEnded(): boolean {
    return this.#state.phase === "ended";
  }

  #open(token: string, key: string): void {
    const { clientName = "framewire-publish", clientVersion = "0.1.0" } = this.#options;
    this.#clock.reset();
    this.#ending = undefined;
    const link: Link = new Link(
      this.#url,
      { protocolVersion, clientName, clientVersion, token },
      this.#clock,
      {
        message: (message) => this.#receive(message, key),
        close: (reason, message) => {
          if (this.#link === link) this.#broke(reason, message);
        },
      },
      this.#options.WebSocket ?? WebSocket,
    );
    this.#link = link;
  }

  #receive({ body }: Plain<ServerMessage>, key: string): void {
    switch (body.case) {
      case "welcome":
        this.#id++;
        return this.#link?.send({
          case: "publishStart",
          value: { id: this.#id, stream: this.#options.stream, key, tracks: this.#tracks.map(describe) },
        });
      case "publishStarted":
        return this.#started(body.value.maxSampleBytes);
      case "publishAck":
        return this.#events.emit("ack", body.value);
      case "publishKeyframeRequest":
        return this.#events.emit("keyframe", undefined);
      case "publishEnded": {
        const { reason, retryAfterMs, message } = body.value;
        this.#finished?.();
        this.#ending = { reason: publishEnums.PublishEndReason[reason] ?? "unspecified", message };
        this.#backoff.holdBack(retryAfterMs);
        return this.#link?.close("requested", message);
      }
      case "goodbye":
        this.#ending = { reason: nameOf("GoodbyeReason", body.value.reason), message: body.value.message };
        this.#backoff.holdBack(body.value.retryAfterMs);
        return this.#link?.close("requested", body.value.message);
      case "pong": {
        const { offset, roundTrip } = this.#clock;
        if (offset !== undefined && roundTrip !== undefined) this.#events.emit("clock", { offset, roundTrip });
        return;
      }
      default: // what players are told, and what newer servers say
        return;
    }
  }

  #started(maxSampleBytes: number): void {
    this.#liveAt = now();
    this.#maxSampleBytes = maxSampleBytes;
    this.#awaitKeyframes();
    this.#setState({ phase: "live", maxSampleBytes });
    this.#events.emit("keyframe", undefined);
  }

  #broke(reason: Reason, message: string): void {
    this.#link = undefined;
    const why = this.#ending ?? { reason, message };
    if (this.#liveAt && now() - this.#liveAt > proven) this.#backoff.reset();
    this.#liveAt = 0;
    if (this.#isFinal(why.reason) || this.#options.reconnect === false) return this.#end(why);
    const wait = this.#backoff.next();
    this.#attempt++;
    this.#setState({ phase: "reconnecting", attempt: this.#attempt, retryAt: now() + wait, ...why });
    this.#retry = setTimeout(() => void this.#connect(), wait);
  }

  #isFinal(reason: Reason): boolean {
    // Whoever gives tokens may give another.
    const { token, key } = this.#options;
    if (reason === "token_expired" && (typeof token === "function" || typeof key === "function")) return false;
    return final.has(reason);
  }

  #end(why: { reason: Reason; message: string }): void {
    if (this.#state.phase === "ended") return;
    clearTimeout(this.#retry);
    const link = this.#link;
    this.#link = undefined;
    link?.close("requested");
    this.#finished?.();
    this.#setState({ phase: "ended", ...why });
  }

  #setState(state: PublishState): void {
    this.#state = state;
    this.#events.emit("state", state);
  }
}

async function ask(value: string | (() => string | Promise<string>) | undefined): Promise<string> {
  return typeof value === "function" ? value() : (value ?? "");
}

function describe(track: PublishTrack): Init<import("@framewire/schema/publish").PublishTrack> {
  const { id, codec, description, timescale, width, height, frameRate, sampleRate, channels, language } = track;
  return {
    id,
    codec,
    decoderConfig: description,
    timescale,
    language,
    details: sampleRate
      ? { case: "audio", value: { sampleRate, channels } }
      : { case: "video", value: { width, height, frameRate } },
  };
}
