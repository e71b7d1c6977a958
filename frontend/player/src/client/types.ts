import type {
  CommandResult,
  Directive,
  PlaybackReport,
  SessionState as WireSessionState,
} from "@framewire/schema/control";
import type {
  Fragment as WireFragment,
  StreamInfo as WireStreamInfo,
  StreamStarted as WireStreamStarted,
  Track as WireTrack,
} from "@framewire/schema/media";
import type { Welcome as WireWelcome } from "@framewire/schema/session";
import type { Millis, Moment, Seconds } from "../units.ts";
import type { Init, NameOf, Plain } from "../wire/index.ts";
import type { FramewireError } from "./errors.ts";

export type Fragment = Plain<WireFragment>;
export type StreamStarted = Plain<WireStreamStarted>;
export type StreamInfo = Plain<WireStreamInfo>;
export type Track = Plain<WireTrack>;
export type SessionState = Plain<WireSessionState>;
export type Welcome = Plain<WireWelcome>;
export type Outcome = Plain<CommandResult>["outcome"];
export type DirectiveBody = Exclude<Plain<Directive>["body"], { case: undefined }>;
export type Report = Init<PlaybackReport>;

export type GoodbyeReason = NameOf<"GoodbyeReason">;
export type WaitingReason = NameOf<"WaitingReason">;
export type EndReason = NameOf<"StreamEndReason">;
export type GapReason = NameOf<"GapReason">;

/** Settings of one viewer. */
export interface Settings {
  /** From 0 to 1. */
  readonly volume: number;
  readonly muted: boolean;
  /** Wanted capture-to-display latency, 0 for automatic. */
  readonly latencyTargetMs: Millis;
}

export interface ConnectOptions {
  /** Stream to play right after the handshake. Overrides `?stream=` of the URL. */
  readonly stream?: string;
  /** Access token, or what gives one; asked before every connection. */
  readonly token?: string | (() => string | Promise<string>);
  readonly settings?: Partial<Settings>;
  /** What the viewer chose of the tracks in another client, as its chosenTracks tells it. */
  readonly chosenTracks?: ChosenTracks | undefined;
  /**
   * MIME types with codecs that can be decoded. Default: what MediaSource here
   * says; without MediaSource, everything.
   */
  readonly decodableTypes?: readonly string[];
  /** Name and version of the program, for the server's logs. */
  readonly clientName?: string;
  readonly clientVersion?: string;
  /** False: the first broken connection ends the client. Default true. */
  readonly reconnect?: boolean;
  /** The WebSocket to use where there is no global one. */
  readonly WebSocket?: typeof WebSocket;
}

/** Tracks by Track.id, 0 for none of the kind; what is left out stays as it is. */
export interface TrackChoice {
  readonly video?: number;
  readonly audio?: number;
}

/** A track of a stream that a viewer chose, or none of its kind. */
export type Chosen = "none" | { readonly stream: string; readonly id: number; readonly language: string };

/** What a viewer chose of the tracks, of whatever streams; a kind of which nothing was chosen is left out. */
export interface ChosenTracks {
  readonly video?: Chosen | undefined;
  readonly audio?: Chosen | undefined;
}

/** Where to begin playing. */
export type From = { readonly time: Seconds } | { readonly sequence: number } | { readonly behindLive: Seconds };

/** What the connection does. */
export type ConnectionState =
  | { readonly phase: "connecting"; readonly attempt: number }
  | { readonly phase: "open"; readonly sessionId: string; readonly server: string }
  | {
      readonly phase: "reconnecting";
      readonly attempt: number;
      /** When the next attempt is made. */
      readonly retryAt: Moment;
      readonly reason: DisconnectReason;
      readonly message: string;
    }
  | { readonly phase: "closed"; readonly reason: DisconnectReason; readonly message: string };

/** Why a connection ended: the server's reasons, and those seen from here. */
export type DisconnectReason =
  | GoodbyeReason
  /** The server could not be reached, or the connection broke without a word. */
  | "unreachable"
  /** Nothing came for five seconds. */
  | "silent"
  /** The server sent what cannot be read. */
  | "unreadable"
  /** The application asked for a new connection, or an end. */
  | "requested";

/** A request of the server to the player; it has to be answered once. */
export interface DirectiveRequest {
  readonly body: DirectiveBody;
  /** Answers that it was done, or why not. */
  readonly answer: (error?: FramewireError) => void;
}

export interface ClientEvents {
  /** The connection changed. */
  connection: ConnectionState;
  /** The server said what it holds of the session. */
  session: SessionState;
  /** Fragments of a stream, or of a new epoch, follow. */
  started: StreamStarted;
  fragment: Fragment;
  /** The stream is not live; it starts by itself. */
  waiting: {
    readonly stream: string;
    readonly reason: WaitingReason;
    readonly since: Moment;
    readonly message: string;
  };
  ended: { readonly stream: string; readonly reason: EndReason; readonly message: string };
  gap: { readonly stream: string; readonly reason: GapReason; readonly from: Seconds; readonly to: Seconds };
  /** The list of streams changed; after subscribeStreams. */
  streams: readonly StreamInfo[];
  directive: DirectiveRequest;
  /** A Pong came: the server's clock is known better. */
  clock: { readonly offset: Millis; readonly roundTrip: Millis };
}
