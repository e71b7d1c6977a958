import { type Millis, type Moment, now, type Seconds } from "../units.ts";

/** The video element as the page saw it at one moment. */
export interface PlayheadSample {
  readonly at: Moment;
  /** The MediaSource it belongs to, counted from 1. */
  readonly generation: number;
  /** Seeks asked of the page and carried out, in this generation. */
  readonly seeks: number;
  readonly time: Seconds;
  readonly rate: number;
  readonly paused: boolean;
  readonly seeking: boolean;
  /** HTMLMediaElement.readyState. */
  readonly readyState: number;
  readonly decoded: number;
  readonly dropped: number;
}

/** A frame that was shown, from requestVideoFrameCallback. */
export interface ShownFrame {
  readonly generation: number;
  /** Its presentation time. */
  readonly time: Seconds;
  /** When it reached, or is expected to reach, the display. */
  readonly at: Moment;
  /** Frames shown so far. */
  readonly count: number;
}

const haveFutureData = 3;
/** A sample older than this says where the playhead was, no more. */
const maxExtrapolation = 1_000;
/** Samples nearer to each other than this say nothing of movement. */
const leastInterval: Millis = 20;

/** Where the playhead is now, from samples that come now and then. */
export class Playhead {
  #sample: PlayheadSample | undefined;
  /** When time was last seen to have changed. */
  #movedAt: Moment = 0;
  /** Whether time went on from sample to sample. */
  #advances = false;

  update(sample: PlayheadSample): void {
    const last = this.#sample;
    if (!last || sample.at - last.at >= leastInterval) this.#advances = isAdvance(last, sample);
    if (!last || last.generation !== sample.generation || Math.abs(sample.time - last.time) > 0.001) {
      this.#movedAt = sample.at;
    }
    this.#sample = sample;
  }

  /** Forgets all: another MediaSource is being attached. */
  reset(): void {
    this.#sample = undefined;
    this.#advances = false;
    this.#movedAt = now();
  }

  get sample(): PlayheadSample | undefined {
    return this.#sample;
  }

  /** True while the playhead goes on; an element that says it plays may still be starting. */
  get moving(): boolean {
    return this.#advances && this.ready;
  }

  /** True while the element has what it needs to play. */
  get ready(): boolean {
    const s = this.#sample;
    return s !== undefined && !s.paused && !s.seeking && s.readyState >= haveFutureData;
  }

  /**
   * For how long the playhead is known to have stood still. Without news from
   * a busy page nothing is known.
   */
  get frozenFor(): Millis {
    return this.#sample ? Math.max(0, this.#sample.at - this.#movedAt) : 0;
  }

  /** Starts counting frozenFor anew: something was done about it. */
  touch(): void {
    this.#movedAt = now();
  }

  /** Where it is now, or undefined before the first sample. */
  get time(): Seconds | undefined {
    const s = this.#sample;
    if (!s) return undefined;
    if (!this.moving) return s.time;
    return s.time + (Math.min(Math.max(0, now() - s.at), maxExtrapolation) / 1000) * s.rate;
  }
}

function isAdvance(last: PlayheadSample | undefined, sample: PlayheadSample): boolean {
  if (last?.generation !== sample.generation || last.seeks !== sample.seeks) return false;
  return sample.time - last.time > 0.001;
}
