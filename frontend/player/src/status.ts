import type { DisconnectReason, EndReason, GapReason, WaitingReason } from "./client/types.ts";
import type { Millis, Moment, Seconds } from "./units.ts";

/** Why the player cannot go on by itself. */
export type FailureReason =
  | Extract<DisconnectReason, "unsupported_version" | "unauthorized" | "token_expired" | "kicked" | "origin_refused">
  /** There is no Media Source Extensions here. */
  | "no_media_source"
  /** The browser decodes none of the tracks. */
  | "unsupported_codec"
  /** A part of the player's own code could not be loaded. */
  | "not_loaded"
  /** src is not a URL that can be connected to. */
  | "invalid_source";

/** What the player does, and why. */
export type PlayerStatus =
  /** Nothing was asked of it yet. */
  | { readonly kind: "idle" }
  | { readonly kind: "connecting" }
  /** The stream is not live; it starts by itself. */
  | { readonly kind: "waiting"; readonly reason: WaitingReason; readonly since: Moment; readonly message: string }
  /** Data is being waited for. */
  | { readonly kind: "buffering" }
  | { readonly kind: "playing" }
  | { readonly kind: "paused" }
  /** The browser refuses to play without a click. */
  | { readonly kind: "blocked" }
  | {
      readonly kind: "reconnecting";
      readonly reason: DisconnectReason;
      readonly attempt: number;
      readonly retryAt: Moment;
      readonly message: string;
    }
  | { readonly kind: "ended"; readonly reason: EndReason; readonly message: string }
  | {
      readonly kind: "failed";
      readonly reason: FailureReason;
      /** For people, in English. */
      readonly message: string;
      /** The codecs that cannot be decoded. */
      readonly codecs: readonly string[];
    };

/** Something that went wrong and was repaired without the viewer. */
export type RecoveryAction =
  /** The playhead was moved to the live edge, far behind which it had fallen. */
  | "jump"
  /** The playhead was moved over a hole in the buffer. */
  | "step_over_hole"
  /** The frozen playhead was moved to the live edge. */
  | "unfreeze"
  /** The MediaSource was made anew; the connection stayed. */
  | "rebuild"
  /** The buffer was full and was emptied behind the playhead. */
  | "trim"
  /** The SourceBuffer was changed to another codec. */
  | "change_type"
  /** The connection was made anew. */
  | "reconnect"
  /** Playback ran dry; the target latency was raised. */
  | "stall"
  /** The browser refused sound; playing goes on without. */
  | "mute"
  /** Catching up did not bring the playhead nearer and was given up for a while. */
  | "stop_chasing";

export interface Recovery {
  readonly action: RecoveryAction;
  /** What was seen, for logs: "audio: QuotaExceededError on append". */
  readonly cause: string;
  readonly at: Moment;
}

/** Media that was not shown, and why. */
export interface GapInfo {
  /** "stall" where playback ran dry here; otherwise the server's reason. */
  readonly reason: GapReason | "stall";
  readonly duration: Seconds;
  readonly at: Moment;
}

/** A text that the server's operator wants shown. */
export interface Notice {
  readonly text: string;
  /** How long to show it; 0 until the viewer closes it. */
  readonly duration: Millis;
}

/** A track that the stream has and this browser cannot decode. */
export interface UndecodableTrack {
  readonly kind: "video" | "audio";
  readonly codec: string;
}

/** Figures of the player at one moment; undefined where not known. */
export interface Stats {
  readonly at: Moment;
  /** Capture to display of the newest frame. */
  readonly latency: Millis | undefined;
  /** Media ahead of the playhead. */
  readonly buffer: Millis;
  /** What the live-edge control aims at for buffer. */
  readonly target: Millis;
  /** Arrival jitter: 99th percentile of the last ten seconds. */
  readonly jitter: Millis;
  /** Received, in bits per second, over the last two seconds. */
  readonly bitrate: number;
  readonly framesPerSecond: number;
  readonly framesDecoded: number;
  readonly framesDropped: number;
  /** Times playback ran dry, and how long it stood still in all. */
  readonly stalls: number;
  readonly stalled: Millis;
  /** The rate of the live-edge control; the viewer's rate is always 1. */
  readonly rate: number;
  readonly roundTrip: Millis | undefined;
  readonly reconnects: number;
  readonly server: string;
  readonly sessionId: string;
  readonly stream: string;
  readonly videoCodec: string;
  readonly audioCodec: string;
  readonly width: number;
  readonly height: number;
  /** How far the server thins the stream out. */
  readonly degradation: "unspecified" | "none" | "keyframes_only" | "audio_only";
  /** Where connection and MSE run. */
  readonly thread: "worker" | "page";
  /** The newest, at most 20. */
  readonly gaps: readonly GapInfo[];
  /** The newest, at most 20. */
  readonly recoveries: readonly Recovery[];
}
