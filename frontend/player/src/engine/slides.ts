import type { Seconds } from "../units.ts";
import { chunkFields } from "./chunk.ts";

/** How long a picture stands, at least, before it has to be given anew. */
const leastStand: Seconds = 1;

interface Pattern {
  readonly payload: Uint8Array<ArrayBuffer>;
  readonly timescale: number;
  /** Presentation time less decode time, in ticks. */
  readonly offset: number;
}

/** A keyframe at another time. */
export interface Slide {
  readonly payload: Uint8Array<ArrayBuffer>;
  readonly start: Seconds;
  readonly end: Seconds;
}

/**
 * Stands in for pictures that the server does not send while sound goes on: all
 * but keyframes, or every one of them. A declared track without media blocks
 * playback, so the last keyframe is shown for as long as there is sound. What
 * comes later replaces the part that it covers.
 */
export class Slides {
  #pattern: Pattern | undefined;

  /** Takes note of a keyframe. */
  saw(payload: Uint8Array<ArrayBuffer>, timescale: number, offset: number): void {
    this.#pattern = { payload, timescale, offset };
  }

  /** Forgets it: what follows is of another kind, or another stream. */
  clear(): void {
    this.#pattern = undefined;
  }

  /** Makes the keyframe stand from start until end, and a while longer. */
  from(start: Seconds, end: Seconds): Slide | undefined {
    const pattern = this.#pattern;
    if (!pattern) return undefined;
    const { timescale, offset } = pattern;
    const fields = chunkFields(pattern.payload);
    if (fields?.duration === undefined) return undefined;
    const time = Math.round(start * timescale);
    const duration = Math.round(Math.max(leastStand, end - start) * timescale);
    const payload = pattern.payload.slice();
    const view = new DataView(payload.buffer);
    view.setBigUint64(fields.decodeTime, BigInt(Math.max(0, time - offset)));
    view.setUint32(fields.duration, duration);
    return { payload, start: time / timescale, end: (time + duration) / timescale };
  }
}
