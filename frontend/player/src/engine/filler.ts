import type { Seconds } from "../units.ts";
import { chunkFields } from "./chunk.ts";

/** Never more fragments than this at once: two seconds of the shortest. */
const maxFragments = 100;

interface Pattern {
  readonly payload: Uint8Array<ArrayBuffer>;
  /** Where in payload the decode time stands. */
  readonly timeAt: number;
  readonly duration: number;
}

/**
 * Stands in for sound that the server holds back while it is muted. A declared
 * track without media blocks playback, and a browser lets go of no track, so
 * the last fragment is repeated with later times. The element is mute
 * meanwhile.
 */
export class Filler {
  readonly timescale: number;
  #pattern: Pattern | undefined;
  #next = 0;

  constructor(timescale: number) {
    this.timescale = timescale;
  }

  /** Takes note of a real fragment; times in ticks. */
  saw(payload: Uint8Array<ArrayBuffer>, decodeTime: number, duration: number): void {
    const timeAt = chunkFields(payload)?.decodeTime;
    this.#pattern = timeAt === undefined || duration <= 0 ? undefined : { payload, timeAt, duration };
    this.#next = decodeTime + duration;
  }

  /** Makes fragments from where sound ends up to end. */
  fill(end: Seconds): Uint8Array<ArrayBuffer>[] {
    const pattern = this.#pattern;
    const made: Uint8Array<ArrayBuffer>[] = [];
    if (!pattern) return made;
    const until = end * this.timescale;
    if (until - this.#next > maxFragments * pattern.duration) this.#next = Math.floor(until) - pattern.duration;
    while (this.#next < until) {
      const copy = pattern.payload.slice();
      new DataView(copy.buffer).setBigUint64(pattern.timeAt, BigInt(this.#next));
      made.push(copy);
      this.#next += pattern.duration;
    }
    return made;
  }
}
