import type { Moment, Seconds } from "../units.ts";

/** Frames remembered: more than a minute of 60 a second. */
const maxFrames = 4_096;
/** A frame's presentation time as the browser tells it is off by rounding only. */
const tolerance: Seconds = 0.004;

/** When each frame was captured, by its presentation time. */
export class CaptureTimes {
  #frames: { time: Seconds; captured: Moment }[] = [];

  /** captured is of the server's clock. */
  add(time: Seconds, captured: Moment): void {
    const frames = this.#frames;
    if (frames.length >= maxFrames) frames.splice(0, maxFrames / 2);
    // B-frames come out of order, a few places at most.
    let at = frames.length;
    while (at > 0 && (frames[at - 1]?.time ?? 0) > time) at--;
    frames.splice(at, 0, { time, captured });
  }

  /** Returns when the frame at a presentation time was captured. */
  at(time: Seconds): Moment | undefined {
    const frames = this.#frames;
    let low = 0;
    let high = frames.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((frames[middle]?.time ?? 0) <= time + tolerance) low = middle + 1;
      else high = middle;
    }
    return frames[low - 1]?.captured;
  }

  clear(): void {
    this.#frames = [];
  }
}
