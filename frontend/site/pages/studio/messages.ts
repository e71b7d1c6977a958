// What passes between the page and its worker.

import type { Ack, PublishState } from "@framewire/player/publish";

/** Where one kind of media comes from: a stream of frames, or the page, frame by frame. */
export type Feed<T> = { readonly readable: ReadableStream<T> } | { readonly byPage: true };

export interface StartMessage {
  readonly type: "start";
  readonly url: string;
  readonly stream: string;
  readonly key: string;
  readonly video: Feed<VideoFrame> | undefined;
  readonly audio: Feed<AudioData> | undefined;
  /** Pictures a second of the source, a guess where it does not tell. */
  readonly frameRate: number;
}

/** Sound as an AudioWorklet gives it. */
export interface Sound {
  readonly type: "sound";
  /** All channels one behind the other. */
  readonly planes: Float32Array<ArrayBuffer>;
  readonly channels: number;
  readonly sampleRate: number;
  /** Microseconds from any origin. */
  readonly timestamp: number;
}

export type ToWorker =
  | StartMessage
  /** Another device of the same kind. */
  | { readonly type: "source"; readonly video: Feed<VideoFrame> }
  | { readonly type: "source"; readonly audio: Feed<AudioData> }
  | { readonly type: "frame"; readonly frame: VideoFrame }
  | Sound
  | { readonly type: "stop" };

/** How encoding and sending go, several times a second. */
export interface Stats {
  readonly type: "stats";
  /** Bits per second that leave the encoders. */
  readonly bitrate: number;
  /** What the video encoder is asked for. */
  readonly target: number;
  readonly frameRate: number;
  readonly width: number;
  readonly height: number;
  readonly codec: string;
  /** Pictures that were left out since the start. */
  readonly dropped: number;
  /** Media that waits for the network, in milliseconds. */
  readonly backlog: number;
}

export type FromWorker =
  | { readonly type: "state"; readonly state: PublishState }
  | { readonly type: "ack"; readonly ack: Ack }
  | Stats
  /** Nothing here can encode, or an encoder failed. */
  | { readonly type: "failed"; readonly message: string }
  /** All is sent and closed. */
  | { readonly type: "stopped" };
