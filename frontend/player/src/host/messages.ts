import type { Commands } from "../client/commands.ts";
import type { FramewireErrorCode } from "../client/errors.ts";
import type {
  ChosenTracks,
  ClientEvents,
  ConnectionState,
  SessionState,
  Settings,
  StreamInfo,
} from "../client/types.ts";
import type { PlayheadSample, ShownFrame } from "../engine/playhead.ts";
import type { FailureReason, GapInfo, Notice, Recovery, Stats, UndecodableTrack } from "../status.ts";
import type { Millis, Moment, Seconds } from "../units.ts";

/** Commands that the page may ask of the host. */
export type CommandName = Exclude<keyof Commands, number | symbol>;

/** A command with its arguments. */
export type CommandCall = {
  [K in CommandName]: { readonly name: K; readonly args: Parameters<Commands[K]> };
}[CommandName];

/** What the player has to begin with. */
export interface OpenOptions {
  readonly url: string;
  readonly settings: Settings;
  /** What the viewer chose of the tracks before. */
  readonly chosenTracks?: ChosenTracks | undefined;
  /** True if the page has a token to give; it is asked for one before every connection. */
  readonly hasToken: boolean;
  readonly visible: boolean;
}

/** From the page to the host. */
export type ToHost =
  | { readonly type: "open"; readonly options: OpenOptions }
  | { readonly type: "close" }
  | { readonly type: "command"; readonly id: number; readonly call: CommandCall }
  | { readonly type: "token"; readonly token: string }
  /** The page has another token to give. */
  | { readonly type: "renew" }
  | { readonly type: "playhead"; readonly sample: PlayheadSample }
  | { readonly type: "frame"; readonly frame: ShownFrame }
  | { readonly type: "mediaerror"; readonly generation: number; readonly message: string }
  | { readonly type: "visible"; readonly visible: boolean }
  | { readonly type: "blocked"; readonly blocked: boolean }
  | { readonly type: "graph"; readonly graph: boolean }
  | { readonly type: "muted"; readonly cause: string }
  | { readonly type: "reconnect" };

/** A failed command, in a form that crosses threads. */
export interface Failure {
  readonly code: FramewireErrorCode;
  readonly message: string;
  readonly field: string;
  readonly retryAfter: Millis;
}

/** What plays, for the element's media properties. */
export interface MediaInfo {
  readonly stream: string;
  readonly video: { readonly codec: string; readonly width: number; readonly height: number } | undefined;
  readonly audio: { readonly codec: string } | undefined;
  readonly undecodable: readonly UndecodableTrack[];
  /** How far back the server keeps media. */
  readonly window: Seconds;
}

/** Where live is, and how far back one can seek. */
export interface LiveRange {
  readonly at: Moment;
  readonly start: Seconds;
  /** The safe live position. */
  readonly end: Seconds;
}

/** From the host to the page. */
export type ToPage =
  | {
      readonly type: "attach";
      readonly generation: number;
      readonly source: MediaSourceHandle | MediaSource;
      /** Whether a graph of Web Audio is worth its while for sound in this browser. */
      readonly graph: boolean;
    }
  | { readonly type: "seek"; readonly time: Seconds }
  | { readonly type: "rate"; readonly rate: number }
  | { readonly type: "soundfrom"; readonly time: Seconds }
  | { readonly type: "token" }
  | {
      readonly type: "answer";
      readonly id: number;
      readonly failure?: Failure;
      readonly streams?: readonly StreamInfo[];
    }
  | { readonly type: "connection"; readonly state: ConnectionState }
  | { readonly type: "session"; readonly session: SessionState; readonly resting: boolean }
  /** Settings that the first session begins with were changed before there was one. */
  | { readonly type: "settings"; readonly settings: Settings }
  | { readonly type: "chosen"; readonly tracks: ChosenTracks }
  | { readonly type: "media"; readonly media: MediaInfo }
  | { readonly type: "range"; readonly range: LiveRange }
  | { readonly type: "waiting"; readonly waiting: ClientEvents["waiting"] }
  | { readonly type: "ended"; readonly ended: ClientEvents["ended"] }
  | { readonly type: "recovery"; readonly recovery: Recovery }
  | { readonly type: "gap"; readonly gap: GapInfo }
  | { readonly type: "notice"; readonly notice: Notice }
  | { readonly type: "streams"; readonly streams: readonly StreamInfo[] }
  | { readonly type: "stats"; readonly stats: Stats }
  | { readonly type: "failed"; readonly reason: FailureReason; readonly message: string };

/** Sends to the page. The second argument lists what is handed over, not copied. */
export type PostToPage = (message: ToPage, transfer?: Transferable[]) => void;
