// When frames were captured, on one clock for pictures and sound.

/** How long the shortest delay seen counts, in milliseconds: at least once, at most twice this. */
const MEMORY_MS = 1_000;
/** A source whose clock jumped: the mapping is made anew. */
const JUMP_MS = 1_000;

/**
 * Maps a source's timestamps, whose origin is its own, to moments of this
 * machine's clock. Frames come later than they were captured by a time that
 * varies: the least delay of the last second or two counts, so that the moments
 * are evenly spaced, and follow a source whose clock goes slower than ours, as
 * that of sound does where the machine is too busy for it.
 */
export class Timeline {
  /** The least of arrival less timestamp, in this stretch of time and the one before. */
  #least: number | undefined;
  #before = Number.POSITIVE_INFINITY;
  #since = 0;
  #last = Number.NEGATIVE_INFINITY;

  /**
   * Returns when a frame was captured, in milliseconds; it only grows.
   *
   * @param timestamp of the frame, in microseconds.
   * @param arrival when the frame came, in milliseconds.
   */
  map(timestamp: number, arrival: number): number {
    const offset = arrival - timestamp / 1000;
    if (this.#least === undefined || Math.abs(offset - this.#least) > JUMP_MS) {
      this.#least = offset;
      this.#before = Number.POSITIVE_INFINITY;
      this.#since = arrival;
    } else if (arrival - this.#since > MEMORY_MS) {
      this.#before = this.#least;
      this.#least = offset;
      this.#since = arrival;
    } else {
      this.#least = Math.min(this.#least, offset);
    }
    const moment = Math.max(timestamp / 1000 + Math.min(this.#least, this.#before), this.#last + 0.001);
    this.#last = moment;
    return moment;
  }
}
