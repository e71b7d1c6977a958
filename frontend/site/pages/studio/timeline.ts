// When frames were captured, on one clock for pictures and sound.

/** A frame is taken to have come by the shortest way there is; this is how fast that is given up, per frame. */
const DRIFT_MS = 0.02;
/** A source whose clock jumped: the mapping is made anew. */
const JUMP_MS = 1_000;

/**
 * Maps a source's timestamps, whose origin is its own, to moments of this
 * machine's clock. Frames come later than they were captured by a time that
 * varies: the least delay seen counts, so that the moments are evenly spaced.
 */
export class Timeline {
  /** Moment of capture less timestamp, in milliseconds. */
  #offset: number | undefined;
  #last = Number.NEGATIVE_INFINITY;

  /**
   * Returns when a frame was captured, in milliseconds; it only grows.
   *
   * @param timestamp of the frame, in microseconds.
   * @param arrival when the frame came, in milliseconds.
   */
  map(timestamp: number, arrival: number): number {
    const offset = arrival - timestamp / 1000;
    if (this.#offset === undefined || Math.abs(offset - this.#offset) > JUMP_MS) this.#offset = offset;
    else this.#offset = Math.min(this.#offset + DRIFT_MS, offset);
    const moment = Math.max(timestamp / 1000 + this.#offset, this.#last + 0.001);
    this.#last = moment;
    return moment;
  }
}
