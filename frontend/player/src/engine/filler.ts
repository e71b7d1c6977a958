import type { Seconds } from "../units.ts";

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
  readonly #timescale: number;
  #pattern: Pattern | undefined;
  #next = 0;

  constructor(timescale: number) {
    this.#timescale = timescale;
  }

  /** Takes note of a real fragment; times in ticks. */
  saw(payload: Uint8Array<ArrayBuffer>, decodeTime: number, duration: number): void {
    const timeAt = decodeTimeOffset(payload);
    this.#pattern = timeAt === undefined || duration <= 0 ? undefined : { payload, timeAt, duration };
    this.#next = decodeTime + duration;
  }

  /** Makes fragments from where sound ends up to end. */
  fill(end: Seconds): Uint8Array<ArrayBuffer>[] {
    const pattern = this.#pattern;
    const made: Uint8Array<ArrayBuffer>[] = [];
    if (!pattern) return made;
    const until = end * this.#timescale;
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

/** Finds baseMediaDecodeTime in the first tfdt of a chunk (ISO/IEC 14496-12 8.8.12), version 1. */
function decodeTimeOffset(chunk: Uint8Array): number | undefined {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  let at = 0;
  let end = chunk.length;
  for (const name of ["moof", "traf", "tfdt"]) {
    const box = findBox(view, at, end, name);
    if (!box) return undefined;
    [at, end] = box;
  }
  const version = view.getUint8(at);
  return version === 1 && at + 12 <= end ? at + 4 : undefined;
}

/** Finds a box between at and end, and returns where its content starts and ends. */
function findBox(view: DataView, from: number, end: number, name: string): [number, number] | undefined {
  let at = from;
  while (at + 8 <= end) {
    const size = view.getUint32(at);
    if (size < 8 || at + size > end) return undefined;
    const type = String.fromCharCode(...[4, 5, 6, 7].map((i) => view.getUint8(at + i)));
    if (type === name) return [at + 8, at + size];
    at += size;
  }
  return undefined;
}
