// Pictures: chooses a codec, encodes in real time, and asks for less when told.

import { bestBitrate } from "./rate.ts";

/** What encoders give: a sample and, where it changed, the configuration. */
export interface Coded {
  readonly timestamp: number;
  readonly keyframe: boolean;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Time between keyframes without being asked, in milliseconds: a viewer starts at one. */
const KEYFRAME_EVERY_MS = 2_000;
/** Time between keyframes that are asked for, in milliseconds. */
const KEYFRAME_PAUSE_MS = 400;
/** Pictures in the encoder above which the next is left out: it is too slow for them. */
const MAX_ENCODING = 3;
/** A change of bitrate smaller than this is not worth the encoder's while. */
const WORTHWHILE = 0.12;

/** Levels of H.264 by macroblocks a second (ITU-T H.264 table A-1). */
const AVC_LEVELS: readonly (readonly [perSecond: number, perPicture: number, level: number])[] = [
  [40_500, 1_620, 30],
  [108_000, 3_600, 31],
  [245_760, 8_192, 40],
  [522_240, 8_704, 42],
  [983_040, 36_864, 51],
  [2_073_600, 36_864, 52],
];

/** Codecs in the order in which they are tried: H.264 plays everywhere. */
export function candidates(width: number, height: number, frameRate: number): readonly VideoEncoderConfig[] {
  const blocks = Math.ceil(width / 16) * Math.ceil(height / 16);
  const fits = AVC_LEVELS.find(([second, picture]) => blocks <= picture && blocks * frameRate <= second);
  const level = (fits?.[2] ?? 52).toString(16).padStart(2, "0");
  const common = {
    width,
    height,
    framerate: frameRate,
    bitrate: bestBitrate(width, height, frameRate),
    latencyMode: "realtime",
  } as const;
  return [
    ...["42e0", "4d00", "6400"].map((profile) => ({
      ...common,
      codec: `avc1.${profile}${level}`,
      avc: { format: "avc" as const },
    })),
    { ...common, codec: "vp09.00.51.08" },
    { ...common, codec: "av01.0.13M.08" },
  ];
}

/** Returns the first configuration that this browser encodes. */
export async function chooseVideo(
  width: number,
  height: number,
  frameRate: number,
): Promise<VideoEncoderConfig | undefined> {
  for (const config of candidates(width, height, frameRate)) {
    try {
      if ((await VideoEncoder.isConfigSupported(config)).supported) return config;
    } catch {
      // One that this browser does not even know.
    }
  }
  return undefined;
}

export interface VideoEvents {
  coded(coded: Coded, config: VideoDecoderConfig | undefined): void;
  failed(message: string): void;
}

/** Encodes what it is given; the owner closes it. */
export class Pictures {
  readonly #events: VideoEvents;
  readonly #frameRate: number;
  #encoder: VideoEncoder | undefined;
  #config: VideoEncoderConfig | undefined;
  #choosing = false;
  #wantKeyframe = true;
  #keyframeAt = Number.NEGATIVE_INFINITY;
  dropped = 0;

  constructor(frameRate: number, events: VideoEvents) {
    this.#frameRate = frameRate;
    this.#events = events;
  }

  get config(): VideoEncoderConfig | undefined {
    return this.#config;
  }

  /** The next picture is to be a keyframe. */
  requestKeyframe(): void {
    this.#wantKeyframe = true;
  }

  setBitrate(bitrate: number): void {
    const config = this.#config;
    const encoder = this.#encoder;
    if (!config?.bitrate || encoder?.state !== "configured") return;
    if (Math.abs(bitrate - config.bitrate) < config.bitrate * WORTHWHILE) return;
    this.#config = { ...config, bitrate };
    encoder.configure(this.#config);
  }

  /**
   * Encodes a picture, which it closes.
   *
   * @param timestamp in microseconds.
   */
  encode(frame: VideoFrame, timestamp: number): void {
    // Chroma is halved: odd sizes cannot be coded.
    const width = frame.displayWidth & ~1;
    const height = frame.displayHeight & ~1;
    if (!this.#config || this.#config.width !== width || this.#config.height !== height) {
      frame.close();
      if (width > 0 && height > 0) void this.#choose(width, height);
      return;
    }
    const encoder = this.#encoder;
    if (!encoder || encoder.encodeQueueSize >= MAX_ENCODING) {
      this.dropped++;
      frame.close();
      return;
    }
    const now = timestamp / 1000;
    const keyFrame =
      now - this.#keyframeAt >= (this.#wantKeyframe ? KEYFRAME_PAUSE_MS : KEYFRAME_EVERY_MS) || now < this.#keyframeAt;
    if (keyFrame) {
      this.#wantKeyframe = false;
      this.#keyframeAt = now;
    }
    const timed = new VideoFrame(frame, { timestamp });
    frame.close();
    encoder.encode(timed, { keyFrame });
    timed.close();
  }

  close(): void {
    if (this.#encoder && this.#encoder.state !== "closed") this.#encoder.close();
    this.#encoder = undefined;
  }

  async #choose(width: number, height: number): Promise<void> {
    if (this.#choosing) return;
    this.#choosing = true;
    const config = await chooseVideo(width, height, this.#frameRate);
    this.#choosing = false;
    if (!config) {
      this.#events.failed(
        `This browser cannot encode pictures of ${width}×${height} in any codec that this page knows.`,
      );
      return;
    }
    this.close();
    const encoder = new VideoEncoder({
      output: (chunk, metadata) => {
        const data = new Uint8Array(chunk.byteLength);
        chunk.copyTo(data);
        const keyframe = chunk.type === "key";
        this.#events.coded({ timestamp: chunk.timestamp, keyframe, data }, metadata?.decoderConfig);
      },
      error: (error) => this.#events.failed(`The video encoder failed: ${error.message}`),
    });
    encoder.configure(config);
    this.#encoder = encoder;
    this.#config = config;
    this.#wantKeyframe = true;
    this.#keyframeAt = Number.NEGATIVE_INFINITY;
  }
}
