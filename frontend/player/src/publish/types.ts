import type { PublishAck } from "@framewire/schema/publish";
import type { DisconnectReason } from "../client/types.ts";
import type { Millis, Moment } from "../units.ts";
import type { Plain } from "../wire/index.ts";
import type { publishEnums } from "../wire/publish-tables.ts";

/** Why the server ended or refused a publication. */
export type PublishEndReason = (typeof publishEnums)["PublishEndReason"][number];

/** What the server says of a publication several times a second. */
export type Ack = Plain<PublishAck>;

/** A track as the server has to know it. */
export interface PublishTrack {
  /** From 1 to 65535, different for each track. */
  readonly id: number;
  /** Codec string of RFC 6381: what WebCodecs calls codec. */
  readonly codec: string;
  /** What WebCodecs calls description; not needed where the samples hold it. */
  readonly description?: Uint8Array | undefined;
  /** Ticks per second of all times of the track. WebCodecs counts 1000000. */
  readonly timescale: number;
  readonly width?: number;
  readonly height?: number;
  readonly frameRate?: number;
  readonly sampleRate?: number;
  readonly channels?: number;
  /** BCP 47 tag. */
  readonly language?: string;
}

/** One coded picture, or one frame of coded sound. */
export interface Sample {
  /** PublishTrack.id. */
  readonly track: number;
  /** Decode time in ticks of the track, an integer. */
  readonly time: number;
  /** From decode to presentation time, in ticks. */
  readonly offset?: number;
  /** In ticks; 0 or unset where it is not known. */
  readonly duration?: number;
  /** Whether decoding can start here. */
  readonly keyframe: boolean;
  /** When it was captured, by this machine's clock: see now. Unset: when the server receives it. */
  readonly capturedAt?: Moment;
  readonly data: Uint8Array;
}

export interface PublishOptions {
  /** Name of the stream. */
  readonly stream: string;
  /** Stream key or token, or what gives one; asked before every connection. */
  readonly key?: string | (() => string | Promise<string>);
  /** The tracks to begin with; setTracks changes them. Nothing is sent before there are some. */
  readonly tracks?: readonly PublishTrack[];
  /** Access token of the session, where the server asks for one. It publishes where there is no key. */
  readonly token?: string | (() => string | Promise<string>);
  /** Name and version of the program, for the server's logs. */
  readonly clientName?: string;
  readonly clientVersion?: string;
  /** False: the first broken connection ends the publication. Default true. */
  readonly reconnect?: boolean;
  /** The WebSocket to use where there is no global one. */
  readonly WebSocket?: typeof WebSocket;
}

/** What a publication does. */
export type PublishState =
  | { readonly phase: "connecting"; readonly attempt: number }
  /** The server takes samples. */
  | { readonly phase: "live"; readonly maxSampleBytes: number }
  | {
      readonly phase: "reconnecting";
      readonly attempt: number;
      /** When the next attempt is made. */
      readonly retryAt: Moment;
      readonly reason: PublishEndReason | DisconnectReason;
      readonly message: string;
    }
  /** Nothing more is tried. */
  | { readonly phase: "ended"; readonly reason: PublishEndReason | DisconnectReason; readonly message: string };

export interface PublisherEvents {
  state: PublishState;
  ack: Ack;
  /** The server needs a keyframe: a viewer came, or the connection is new. */
  keyframe: undefined;
  /** The server's clock is known better. */
  clock: { readonly offset: Millis; readonly roundTrip: Millis };
}
