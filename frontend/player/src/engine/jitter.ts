import type { Millis, Moment, Seconds } from "../units.ts";

const window: Millis = 15_000;
/** Enough for the window at 60 frames a second. */
const maxSamples = 900;
/** With fewer samples the percentile says nothing. */
const minSamples = 20;

/** So many fragments that come no faster than they play end a burst. */
const enoughPaced = 5;
/** After that, how long a page that is still loading, or what is left of an outage, may delay fragments. */
const settling: Millis = 700;

/** Later than this is an outage, and no jitter: no buffer of a live stream ought to bridge it. */
const outage: Millis = 1_000;
/** It has ended when fragments come no later than this. */
const recovered: Millis = 100;

/** Delays so far from each other have different causes: most networks stand still for less. */
const apart: Millis = 600;

interface Sample {
  readonly at: Moment;
  /** Arrival minus media time; its origin is arbitrary. */
  readonly delay: Millis;
}

/**
 * How unevenly the fragments of one track arrive: how much later they came than
 * the promptest of the last fifteen seconds.
 */
export class Jitter {
  #samples: Sample[] = [];
  /** While a group is caught up with, how many fragments have come in their own time, and when the last came. */
  #paced = 0;
  #lastAt: Moment = Number.POSITIVE_INFINITY;
  #pacedAt: Moment | undefined;
  /** The delay of the promptest, while an outage lasts. */
  #promptest: Millis | undefined;

  /** mediaTime is where the fragment ends, duration its length. */
  add(at: Moment, mediaTime: Seconds, duration: Seconds): void {
    if (this.#paced < enoughPaced) {
      // What the server had at hand comes at once, and says nothing of jitter.
      this.#paced = at - this.#lastAt > duration * 500 ? this.#paced + 1 : 0;
      this.#lastAt = at;
      return;
    }
    this.#pacedAt ??= at;
    if (at - this.#pacedAt < settling) return;
    const delay = at - mediaTime * 1000;
    this.#watchOutage(at, delay);
    this.#samples.push({ at, delay });
    const oldest = at - window;
    if (this.#samples.length > maxSamples || (this.#samples[0]?.at ?? at) < oldest - 1000) {
      this.#samples = this.#samples.filter((s) => s.at >= oldest).slice(-maxSamples);
    }
  }

  /** Forgets all; what comes next is not comparable. */
  reset(): void {
    this.#samples = [];
    this.#paced = 0;
    this.#lastAt = Number.POSITIVE_INFINITY;
    this.#pacedAt = undefined;
    this.#promptest = undefined;
  }

  /** What came late because of an outage says nothing of the time after it. */
  #watchOutage(at: Moment, delay: Millis): void {
    if (this.#promptest === undefined) {
      const first = this.#samples[0]?.delay;
      if (first === undefined || delay - first < outage) return;
      this.#promptest = Math.min(...this.#samples.map((sample) => sample.delay));
    } else if (delay - this.#promptest < recovered) {
      // What had piled up still comes unevenly for a moment.
      this.#promptest = undefined;
      this.#samples = [];
      this.#pacedAt = at;
    }
  }

  /** The delay that the given part (0 to 1) of the fragments stays below. */
  percentile(part: number): Millis {
    if (this.#samples.length < minSamples) return 0;
    const delays = this.#samples.map((s) => s.delay).sort((a, b) => a - b);
    const index = Math.min(delays.length - 1, Math.ceil(delays.length * part) - 1);
    return (delays[index] ?? 0) - (delays[0] ?? 0);
  }

  /**
   * What has to be kept ahead on average, so that what happened twice does not
   * run the buffer dry the next time: how much later than the average the
   * fragments came at the second worst of the moments at which they came late.
   * What happened once says nothing of what is to come.
   */
  repeated(): Millis {
    if (this.#samples.length < minSamples) return 0;
    const worst = this.#samples.reduce((a, b) => (b.delay > a.delay ? b : a));
    let sum = 0;
    let second = Number.NEGATIVE_INFINITY;
    for (const { at, delay } of this.#samples) {
      sum += delay;
      if (Math.abs(at - worst.at) > apart) second = Math.max(second, delay);
    }
    return Math.max(0, second - sum / this.#samples.length);
  }
}
