// Sound: Opus in frames of 20 ms.

import type { Coded } from "./video.ts";

/** Enough for music in stereo; speech in mono needs a third. */
const BITRATE_PER_CHANNEL = 56_000;
/** Encoders count samples from the first: one that is this far off the clock begins again. */
const OFF_US = 80_000;
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
  /** When the sound that comes next is due, as the encoder counts. */
  #due = 0;

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
    const isOff = Math.abs(timestamp - this.#due) > OFF_US;
    if (isOff || sampleRate !== this.#rate || numberOfChannels !== this.#channels) {
      this.#configure(sampleRate, numberOfChannels);
      this.#due = timestamp;
    }
    this.#due += (numberOfFrames / sampleRate) * 1e6;
    if (this.#encoder?.state === "configured") {
      const timed = retimed(data, timestamp);
      this.#encoder.encode(timed);
      timed.close();
    } else {
      data.close();
    }
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
