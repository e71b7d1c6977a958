import type { FramewireClient } from "../client/client.ts";
import type { Report, SessionState, Track } from "../client/types.ts";
import type { Engine } from "../engine/engine.ts";
import type { Stats } from "../status.ts";
import { now, type Seconds } from "../units.ts";
import { nameOf } from "../wire/index.ts";
import type { LiveRange } from "./messages.ts";

/** Puts the figures of connection and engine together. */
export class Figures {
  readonly #client: FramewireClient;
  readonly #engine: Engine;
  tracks: { readonly video: Track | undefined; readonly audio: Track | undefined } = {
    video: undefined,
    audio: undefined,
  };
  stream = "";
  window: Seconds = 0;
  #edge: { session: SessionState; at: number } | undefined;

  constructor(client: FramewireClient, engine: Engine) {
    this.#client = client;
    this.#engine = engine;
  }

  stats(): Stats {
    const { meter } = this.#engine;
    const { connection, clock, session } = this.#client;
    const open = connection.phase === "open" ? connection : { server: "", sessionId: "" };
    const { video, audio } = this.tracks;
    const size = video?.details.case === "video" ? video.details.value : { width: 0, height: 0 };
    return {
      at: now(),
      latency: meter.latency,
      buffer: this.#engine.gap * 1000,
      target: this.#engine.target * 1000,
      jitter: this.#engine.jitter,
      bitrate: meter.bitrate,
      framesPerSecond: meter.framesPerSecond,
      framesDecoded: meter.decoded,
      framesDropped: meter.dropped,
      stalls: meter.stalls,
      stalled: meter.stalled,
      rate: this.#engine.rate,
      roundTrip: clock.roundTrip,
      reconnects: this.#client.reconnects,
      server: open.server,
      sessionId: open.sessionId,
      stream: session?.stream ?? this.stream,
      videoCodec: video?.codec ?? "",
      audioCodec: audio?.codec ?? "",
      width: size.width,
      height: size.height,
      degradation: nameOf("Degradation", session?.degradation ?? 0),
      thread: typeof window === "undefined" ? "worker" : "page",
      gaps: [...meter.gaps],
      recoveries: [...meter.recoveries],
    };
  }

  report(): Report {
    const { meter } = this.#engine;
    return {
      latencyMs: meter.latency ?? 0,
      bufferMs: this.#engine.gap * 1000,
      targetMs: this.#engine.target * 1000,
      framesDecoded: meter.decoded,
      framesDropped: meter.dropped,
      stalls: meter.stalls,
      stalledMs: meter.stalled,
      playbackRate: this.#engine.rate,
      roundTripMs: this.#client.clock.roundTrip ?? 0,
      reconnects: this.#client.reconnects,
    };
  }

  /** Where live is. Behind live it is reckoned from what the server last said. */
  range(session: SessionState | undefined): LiveRange | undefined {
    if (!session) return undefined;
    const at = now();
    if (this.#edge?.session !== session) this.#edge = { session, at };
    const told = session.windowEndSeconds + (at - this.#edge.at) / 1000;
    const playing = nameOf("Playback", session.playback) === "playing" && session.live;
    const end = (playing ? this.#engine.safeLive : undefined) ?? told - this.#engine.target;
    return { at, start: Math.max(0, session.windowStartSeconds, end - this.window), end: Math.max(0, end) };
  }
}
