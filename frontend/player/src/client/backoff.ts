import type { Millis } from "../units.ts";

/** First bound of the waiting time. */
const first: Millis = 250;
/** Last bound: a server that is back is found within this. */
const last: Millis = 5_000;

/**
 * Waiting times between attempts to connect: uniform between 0 and a bound that
 * doubles from attempt to attempt, so that the viewers of a server that comes
 * back do not all come at once.
 */
export class Backoff {
  #bound = first;
  #notBefore: Millis = 0;
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Returns how long to wait before the next attempt. */
  next(): Millis {
    const wait = this.#notBefore + this.#random() * this.#bound;
    this.#notBefore = 0;
    this.#bound = Math.min(this.#bound * 2, last);
    return wait;
  }

  /** Holds the next attempt back at least this long, as the server asked. */
  holdBack(wait: Millis): void {
    this.#notBefore = wait;
  }

  /** Starts over: the connection has proven itself. */
  reset(): void {
    this.#bound = first;
  }
}
