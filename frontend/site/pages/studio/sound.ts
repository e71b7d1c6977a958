// Sound: Opus in frames of 20 ms.

import { Pace } from "./pace.ts";
import type { Coded } from "./video.ts";

/** Enough for music in stereo; speech in mono needs a third. */
const BITRATE_PER_CHANNEL = 56_000;
/** The server joins shorter frames up to this. */
const FRAME_US = 20_000;

export interface SoundEvents {
  coded(coded: Coded, config: AudioDecoderConfig | undefined): void;
  failed(message: string): void;
}

/** Encodes what it is given; the owner closes it. */
export class Sounds {
  readonly #events: SoundEvents;
  #encoder: AudioEncoder | undefined;
  #rate = 0;
  #channels = 0;
  #pace = new Pace();

  constructor(events: SoundEvents) {
    this.#events = events;
  }

  /**
   * Encodes sound, which it closes.
   *
   * @param timestamp in microseconds.
   */
  encode(data: AudioData, timestamp: number): void {
    const { sampleRate, numberOfChannels, numberOfFrames } = data;
    if (sampleRate !== this.#rate || numberOfChannels !== this.#channels) this.#pace = new Pace();
    const step = this.#pace.next(timestamp, (numberOfFrames / sampleRate) * 1e6);
    if (step.kind === "restart") this.#configure(sampleRate, numberOfChannels);
    if (step.kind === "drop" || this.#encoder?.state !== "configured") {
      data.close();
      return;
    }
    const timed = retimed(data, timestamp);
    if (step.kind === "fill") this.#fill(timestamp - step.length, step.length);
    this.#encoder.encode(timed);
    timed.close();
  }

  #fill(timestamp: number, length: number): void {
    const numberOfFrames = Math.round((length / 1e6) * this.#rate);
    const silence = new AudioData({
      format: "f32-planar",
      sampleRate: this.#rate,
      numberOfFrames,
      numberOfChannels: this.#channels,
      timestamp: Math.round(timestamp),
      data: new Float32Array(numberOfFrames * this.#channels),
    });
    this.#encoder?.encode(silence);
    silence.close();
  }

  close(): void {
    if (this.#encoder && this.#encoder.state !== "closed") this.#encoder.close();
    this.#encoder = undefined;
  }

  #configure(rate: number, channels: number): void {
    this.close();
    this.#rate = rate;
    this.#channels = channels;
    const numberOfChannels = Math.min(2, channels);
    const encoder = new AudioEncoder({
      output: (chunk, metadata) => {
        const data = new Uint8Array(chunk.byteLength);
        chunk.copyTo(data);
        this.#events.coded({ timestamp: chunk.timestamp, keyframe: true, data }, metadata?.decoderConfig);
      },
      error: (error) => this.#events.failed(`The audio encoder failed: ${error.message}`),
    });
    encoder.configure({
      codec: "opus",
      sampleRate: rate,
      numberOfChannels,
      bitrate: BITRATE_PER_CHANNEL * numberOfChannels,
      opus: { frameDuration: FRAME_US },
    });
    this.#encoder = encoder;
  }
}

/** The same sound at another time. It closes the one that is given. */
function retimed(data: AudioData, timestamp: number): AudioData {
  const { format, sampleRate, numberOfFrames, numberOfChannels } = data;
  // Always planes of floats: browsers convert to that from whatever they have.
  const planes = new Float32Array(numberOfFrames * numberOfChannels);
  for (let channel = 0; channel < numberOfChannels; channel++) {
    const plane = planes.subarray(channel * numberOfFrames, (channel + 1) * numberOfFrames);
    data.copyTo(plane, { planeIndex: format === null ? 0 : channel, format: "f32-planar" });
  }
  data.close();
  return new AudioData({
    format: "f32-planar",
    sampleRate,
    numberOfFrames,
    numberOfChannels,
    timestamp: Math.round(timestamp),
    data: planes,
  });
}
