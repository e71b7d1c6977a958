import { type Millis, type Moment, now } from "../units.ts";

/** Samples older than this are forgotten: clocks drift, and paths change. */
const maxAge: Millis = 60_000;

interface Sample {
  readonly at: Moment;
  readonly offset: Millis;
  readonly roundTrip: Millis;
}

/**
 * The server's clock, estimated from Ping and Pong. Of the samples of the last
 * minute the one with the shortest round trip counts: half of its round trip
 * bounds its error.
 */
export class ServerClock {
  #samples: Sample[] = [];
  #best: Sample | undefined;
  #roundTrip: Millis | undefined;

  /** How far the server's clock is ahead, or undefined while it is not known. */
  get offset(): Millis | undefined {
    return this.#best?.offset;
  }

  /** The newest round trip. */
  get roundTrip(): Millis | undefined {
    return this.#roundTrip;
  }

  /** The server's time now, or undefined while it is not known. */
  get serverNow(): Moment | undefined {
    return this.#best && now() + this.#best.offset;
  }

  /**
   * Takes the times of one Ping and Pong: sent and received by this clock,
   * serverReceived and serverSent by the server's.
   */
  add(sent: Moment, serverReceived: Moment, serverSent: Moment, received: Moment): void {
    this.#roundTrip = Math.max(0, received - sent - (serverSent - serverReceived));
    this.#push({
      at: received,
      offset: (serverReceived - sent + (serverSent - received)) / 2,
      roundTrip: this.#roundTrip,
    });
  }

  /** Takes a server time that has just arrived: a rough figure until a Pong comes. */
  hint(serverTime: Moment, received: Moment): void {
    // A hint never beats a measured sample.
    this.#push({ at: received, offset: serverTime - received, roundTrip: Number.MAX_VALUE });
  }

  /** Forgets all: another server may answer next. */
  reset(): void {
    this.#samples = [];
    this.#best = undefined;
  }

  #push(sample: Sample): void {
    this.#samples = this.#samples.filter((s) => sample.at - s.at < maxAge);
    this.#samples.push(sample);
    this.#best = this.#samples.reduce((a, b) => (b.roundTrip <= a.roundTrip ? b : a));
  }
}
