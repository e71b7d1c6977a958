// Rates of counters that the server only ever counts up.

import { rateOf } from "./samples.ts";

interface Reading {
  readonly bytes: bigint;
  readonly atUs: bigint;
}

/** Keeps the reading before of every counter that is still there. */
export class Rates {
  #before = new Map<string, Reading>();
  #now = new Map<string, Reading>();
  #atUs = 0n;

  /** Begins a round of readings, made at this time of the server's clock in Unix microseconds. */
  begin(atUs: bigint): void {
    this.#atUs = atUs;
    this.#now = new Map();
  }

  /** Bits per second since the round before; null for a counter that was not in it. */
  of(key: string, bytes: bigint): number | null {
    const reading = { bytes, atUs: this.#atUs };
    this.#now.set(key, reading);
    return rateOf(this.#before.get(key), reading);
  }

  /** Ends the round: counters that were not read are forgotten. */
  end(): void {
    this.#before = this.#now;
  }
}
