import { FramewireClient } from "../client/client.ts";
import type { Commands } from "../client/commands.ts";
import { FramewireError } from "../client/errors.ts";
import type { ConnectionState, SessionState, Settings, StreamInfo, Track } from "../client/types.ts";
import { Engine, type EngineEvents } from "../engine/engine.ts";
import { profileOf } from "../engine/profile.ts";
import { kindOf } from "../engine/select.ts";
import type { Kind } from "../engine/track.ts";
import type { RecoveryAction, UndecodableTrack } from "../status.ts";
import { type Millis, now } from "../units.ts";
import { nameOf, numberOf } from "../wire/index.ts";
import { followDirective } from "./directives.ts";
import { Figures } from "./figures.ts";
import type { CommandCall, OpenOptions, PostToPage, ToHost } from "./messages.ts";

const statsEvery: Millis = 250;
const reportEvery: Millis = 1_000;
/** A page that is hidden for longer than this stops costing the server anything it can do without. */
const restAfter: Millis = 2_000;

/** After these the viewer, or an operator, has said whether to play. */
const decisive = /^(play|pause|resume|stop)$/;

/**
 * The player without its element: connection and engine. It lives in a worker
 * or in the page and speaks with the element through messages.
 */
export class Host {
  readonly #post: PostToPage;
  readonly #profile = profileOf(navigator.userAgent);
  readonly #client: FramewireClient;
  readonly #engine: Engine;
  readonly #figures: Figures;
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #session: SessionState | undefined;
  #visible: boolean;
  /** The kinds of tracks that the stream has. */
  #offered: ReadonlySet<Kind> = new Set();
  #blocked = false;
  /** Paused because nobody looks, not because the viewer asked. */
  #resting = false;
  #restTimer: ReturnType<typeof setTimeout> | undefined;
  #giveToken: ((token: string) => void) | undefined;
  #opens = 0;

  /** @param socket the first connection, where it was begun before */
  constructor(options: OpenOptions, post: PostToPage, socket?: WebSocket) {
    this.#post = post;
    this.#visible = options.visible;
    const { settings, chosenTracks } = options;
    const client = new FramewireClient(options.url, {
      ...(options.hasToken && { token: () => this.#askToken() }),
      settings,
      chosenTracks,
      ...(socket && { WebSocket: beginningWith(socket) }),
    });
    this.#client = client;
    this.#engine = new Engine(this.#profile, () => client.clock.offset, this.#engineEvents());
    this.#figures = new Figures(client, this.#engine);
    this.#listen();
    this.#wish(settings.muted || settings.volume === 0);
    this.#timers.push(
      setInterval(() => this.#tell(), statsEvery),
      setInterval(() => this.#report(), reportEvery),
    );
  }

  receive(message: Exclude<ToHost, { type: "open" }>): void {
    switch (message.type) {
      case "command":
        return void this.#command(message.id, message.call);
      case "playhead":
        return this.#engine.sample(message.sample);
      case "frame":
        return this.#engine.frame(message.frame);
      case "mediaerror":
        return this.#engine.mediaError(message.generation, message.message);
      case "graph":
        this.#engine.graph = message.graph;
        return;
      case "visible":
        return this.#setVisible(message.visible);
      case "blocked":
        this.#blocked = message.blocked;
        return message.blocked ? this.#rest() : this.#wake();
      case "muted":
        return this.#recovered("mute", message.cause);
      case "token":
        this.#giveToken?.(message.token);
        return;
      case "renew":
        // A token that is refused leaves the present one in force.
        return this.#ignoreRefusal(this.#client.renewToken());
      case "reconnect":
        return this.#client.reconnectNow();
      case "close":
        return this.close();
      default:
        message satisfies never;
    }
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#restTimer);
    this.#client.close();
    this.#engine.close();
  }

  #engineEvents(): EngineEvents {
    const post = this.#post;
    return {
      attach: ({ generation, source }) => {
        // In a worker the element is given a handle; the page takes the source itself.
        const handle =
          typeof window === "undefined" ? (source as MediaSource & { handle: MediaSourceHandle }).handle : source;
        const graph = this.#profile.graphFloor !== undefined;
        post({ type: "attach", generation, source: handle, graph }, handle === source ? [] : [handle as Transferable]);
      },
      seek: (time) => post({ type: "seek", time }),
      rate: (rate) => post({ type: "rate", rate }),
      soundFrom: (time) => post({ type: "soundfrom", time }),
      tracks: (playing, undecodable) => this.#tracks(playing, undecodable),
      recovery: (recovery) => post({ type: "recovery", recovery }),
      gap: (gap) => post({ type: "gap", gap }),
      starved: (time) =>
        this.#ignoreRefusal(
          this.#call(time === undefined ? { name: "goLive", args: [] } : { name: "seek", args: [time] }),
        ),
    };
  }

  #listen(): void {
    const client = this.#client;
    const post = this.#post;
    client.on("connection", (state) => this.#connection(state));
    client.on("session", (session) => this.#sessionChanged(session));
    client.on("started", (started) => {
      this.#figures.window = started.windowMs / 1000;
      this.#figures.stream = started.stream;
      this.#offered = new Set(started.tracks.map(kindOf));
      this.#engine.started(started);
    });
    client.on("fragment", (fragment) => this.#engine.fragment(fragment));
    client.on("waiting", (waiting) => {
      this.#engine.interrupted();
      post({ type: "waiting", waiting });
    });
    client.on("ended", (ended) => post({ type: "ended", ended }));
    client.on("streams", (streams) => post({ type: "streams", streams }));
    client.on("gap", ({ reason, from, to }) => {
      const gap = { reason, duration: Math.max(0, to - from), at: now() };
      this.#engine.meter.remember("gaps", gap);
      post({ type: "gap", gap });
    });
    client.on("directive", ({ body, answer }) => {
      if (body.case === "showNotice") {
        const { text, durationMs } = body.value;
        post({ type: "notice", notice: { text, duration: durationMs } });
      }
      void followDirective(body, client, { blocked: this.#blocked, call: (call) => this.#call(call) }).then(
        () => answer(),
        (error) => answer(error instanceof FramewireError ? error : new FramewireError("internal", String(error))),
      );
    });
  }

  #connection(state: ConnectionState): void {
    if (state.phase === "open" && ++this.#opens > 1) {
      this.#recovered("reconnect", "the connection was made anew");
    }
    this.#post({ type: "connection", state });
  }

  #recovered(action: RecoveryAction, cause: string): void {
    const recovery = { action, cause, at: now() };
    this.#engine.meter.remember("recoveries", recovery);
    this.#post({ type: "recovery", recovery });
  }

  #sessionChanged(session: SessionState): void {
    this.#session = session;
    if ((this.#blocked || !this.#visible) && !this.#resting) this.#rest();
    this.#wish(session.muted || session.volume === 0);
    this.#post({ type: "session", session, resting: this.#resting });
  }

  #wish(silent: boolean): void {
    const session = this.#session;
    this.#engine.wishes = {
      sound: !silent && this.#sends("audio"),
      picture: this.#sends("video") && !this.#thinned,
      live: session?.live ?? true,
      playing: session === undefined || nameOf("Playback", session.playback) !== "paused",
      latency: session?.latencyTargetMs ?? this.#client.settings.latencyTargetMs,
      visible: this.#visible,
    };
  }

  /** False where the viewer, or an operator, has chosen no track of a kind that the stream has. */
  #sends(kind: Kind): boolean {
    const session = this.#session;
    if (!session || nameOf("Playback", session.playback) === "waiting" || !this.#offered.has(kind)) return true;
    return (kind === "video" ? session.videoTrackId : session.audioTrackId) !== 0;
  }

  /** True while the server leaves pictures out, because the connection cannot carry them all. */
  get #thinned(): boolean {
    const degradation = nameOf("Degradation", this.#session?.degradation ?? 0);
    return degradation === "keyframes_only" || degradation === "audio_only";
  }

  #tracks(playing: ReadonlyMap<Kind, Track>, undecodable: readonly UndecodableTrack[]): void {
    const video = playing.get("video");
    const audio = playing.get("audio");
    this.#figures.tracks = { video, audio };
    const size = video?.details.case === "video" ? video.details.value : { width: 0, height: 0 };
    this.#post({
      type: "media",
      media: {
        stream: this.#figures.stream,
        video: video && { codec: video.codec, width: size.width, height: size.height },
        audio: audio && { codec: audio.codec },
        undecodable,
        window: this.#figures.window,
      },
    });
    if (undecodable.length > 0 && playing.size === 0) {
      const codecs = undecodable.map((track) => track.codec).join(", ");
      this.#post({ type: "failed", reason: "unsupported_codec", message: `This browser cannot decode ${codecs}.` });
    }
  }

  async #command(id: number, call: CommandCall): Promise<void> {
    try {
      const streams = await this.#call(call);
      if (call.name === "selectTracks") this.#post({ type: "chosen", tracks: this.#client.chosenTracks });
      this.#post({ type: "answer", id, ...(streams && { streams }) });
    } catch (error) {
      const { code, message, field, retryAfter } =
        error instanceof FramewireError ? error : new FramewireError("internal", String(error));
      this.#post({ type: "answer", id, failure: { code, message, field, retryAfter } });
    }
  }

  /** Carries a command out, and has the engine follow once the server has done it. */
  async #call(call: CommandCall): Promise<readonly StreamInfo[] | undefined> {
    if (this.#resting && decisive.test(call.name)) {
      this.#resting = false;
      if (this.#session) this.#sessionChanged(this.#session);
    }
    if (this.#client.connection.phase !== "open" && this.#keepForLater(call)) return undefined;
    const method = this.#client[call.name] as (...args: unknown[]) => ReturnType<Commands[typeof call.name]>;
    const result = await method.apply(this.#client, [...call.args]);
    if (call.name === "seek") this.#engine.sought(call.args[0]);
    else if (call.name === "goLive" || (call.name === "resume" && call.args[0]?.live)) this.#engine.rejoin();
    return result ?? undefined;
  }

  /** While there is no server to ask, settings and pausing are this side's alone; Hello tells them later. */
  #keepForLater(call: CommandCall): boolean {
    switch (call.name) {
      case "pause":
      case "resume": {
        const paused = call.name === "pause";
        if (!this.#session) return false;
        this.#client.setResumePaused(paused);
        this.#sessionChanged({ ...this.#session, playback: numberOf("Playback", paused ? "paused" : "playing") });
        return true;
      }
      case "setMuted":
        this.#set({ muted: call.args[0] });
        return true;
      case "setVolume":
        this.#set({ volume: call.args[0] });
        return true;
      case "setLatencyTarget":
        this.#set({ latencyTargetMs: call.args[0] });
        return true;
      case "selectTracks":
        return this.#client.chooseTracks(call.args[0]);
      default:
        return false;
    }
  }

  #set(settings: Partial<Settings>): void {
    this.#client.settings = settings;
    if (this.#session) return this.#sessionChanged({ ...this.#session, ...settings });
    const now = this.#client.settings;
    this.#wish(now.muted || now.volume === 0);
    this.#post({ type: "settings", settings: now });
  }

  #setVisible(visible: boolean): void {
    this.#visible = visible;
    const { muted, volume } = this.#session ?? this.#client.settings;
    this.#wish(muted || volume === 0);
    clearTimeout(this.#restTimer);
    if (!visible) {
      this.#restTimer = setTimeout(() => this.#rest(), restAfter);
      return;
    }
    this.#client.reconnectNow();
    if (!this.#blocked) this.#wake();
  }

  /** Nobody looks, and nobody listens either: media can stay on the server. */
  #rest(): void {
    const session = this.#session;
    if (!session || nameOf("Playback", session.playback) !== "playing" || !session.live) return;
    const silent = session.muted || session.volume === 0 || !this.#figures.tracks.audio;
    if (!silent && !this.#blocked) return;
    this.#resting = true;
    this.#ignoreRefusal(this.#client.pause());
  }

  #wake(): void {
    if (this.#resting) this.#ignoreRefusal(this.#call({ name: "resume", args: [{ live: true }] }));
    else if (this.#session?.live) this.#ignoreRefusal(this.#call({ name: "goLive", args: [] }));
    this.#resting = false;
  }

  #ignoreRefusal(result: Promise<unknown>): void {
    result.catch((error: unknown) => {
      if (!(error instanceof FramewireError)) throw error; // a refused command leaves things as they were
    });
  }

  #askToken(): Promise<string> {
    this.#post({ type: "token" });
    return new Promise((resolve) => {
      this.#giveToken = resolve;
    });
  }

  #tell(): void {
    this.#post({ type: "stats", stats: this.#figures.stats() });
    const range = this.#figures.range(this.#session);
    if (range) this.#post({ type: "range", range });
  }

  #report(): void {
    if (this.#client.connection.phase !== "open" || !this.#session?.stream) return;
    const paused = nameOf("Playback", this.#session.playback) === "paused";
    const playing = this.#engine.playhead.moving ? "playing" : "buffering";
    const state = this.#blocked ? "blocked" : paused ? "paused" : playing;
    this.#client.report({
      ...this.#figures.report(),
      state: numberOf("PlayerState", state),
      visible: this.#visible,
    });
  }
}

/** A WebSocket whose first one is given, whatever it is asked to connect to. */
function beginningWith(socket: WebSocket): typeof WebSocket {
  let first: WebSocket | undefined = socket;
  return new Proxy(WebSocket, {
    construct(Class, [url, protocols]: [string | URL, string[]]) {
      const taken = first;
      first = undefined;
      return taken ?? new Class(url, protocols);
    },
  });
}
