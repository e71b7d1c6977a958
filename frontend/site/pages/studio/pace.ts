// Keeps sound in step with the clock, where samples were lost or come too fast.

/** Sound that is less than this off is in step: arrivals are not more even. In microseconds. */
const OFF_US = 20_000;
/** Sound that is as far off as this is another sound: nothing bridges it. */
const LOST_US = 1_000_000;

/** What to do before a piece of sound is encoded. */
export type Step =
  | { readonly kind: "encode" }
  /** Samples were lost: as much silence goes first, in microseconds. */
  | { readonly kind: "fill"; readonly length: number }
  /** More samples came than time passed: this piece is left out. */
  | { readonly kind: "drop" }
  /** The encoder has to begin again at the time of this piece. */
  | { readonly kind: "restart" };

/**
 * Encoders of sound count samples from the first, and so do not notice those that
 * a busy machine lost: all that follows would be late by as much, and so would its
 * viewers. Nor do they know that a device's clock is not the machine's.
 */
export class Pace {
  /** When the sound that comes next is due, as the encoder counts. */
  #due: number | undefined;

  /**
   * Tells what to do with a piece, and counts it.
   *
   * @param timestamp of its beginning, in microseconds.
   * @param length in microseconds.
   */
  next(timestamp: number, length: number): Step {
    const off = this.#due === undefined ? Number.POSITIVE_INFINITY : timestamp - this.#due;
    if (Math.abs(off) >= LOST_US) {
      this.#due = timestamp + length;
      return { kind: "restart" };
    }
    if (off <= -OFF_US) return { kind: "drop" };
    const fill = off >= OFF_US ? off : 0;
    this.#due = (this.#due ?? 0) + fill + length;
    return fill > 0 ? { kind: "fill", length: fill } : { kind: "encode" };
  }
}
