// What the charts show: the last hour, as this page saw it.

/** How far back samples are kept, in seconds. */
export const KEPT_SECONDS = 3600;
/** Samples further apart than this, in seconds, are not joined by a line. */
const GAP_SECONDS = 15;

/** The server at one moment. */
export interface Sample {
  /** In Unix seconds of this page's clock. */
  readonly at: number;
  readonly viewers: number;
  /** Bits per second to all viewers; null where two readings cannot be compared. */
  readonly bitsPerSecond: number | null;
  /** Capture to glass of the viewers that report it, in milliseconds, in any order. */
  readonly latenciesMs: readonly number[];
}

type Values = (number | null)[];

/** Columns of equal length, in the order of time. */
export interface Columns {
  readonly at: readonly number[];
  readonly viewers: Readonly<Values>;
  readonly bitsPerSecond: Readonly<Values>;
  readonly p50: Readonly<Values>;
  readonly p95: Readonly<Values>;
  readonly p99: Readonly<Values>;
}

export class Samples {
  readonly #at: number[] = [];
  readonly #values = { viewers: [], bitsPerSecond: [], p50: [], p95: [], p99: [] } as Record<
    Exclude<keyof Columns, "at">,
    Values
  >;

  /** Adds the newest sample; one that is not newer than the last is left out. */
  add({ at, viewers, bitsPerSecond, latenciesMs }: Sample): void {
    const last = this.#at.at(-1);
    if (last !== undefined && at <= last) return;
    const sorted = latenciesMs.toSorted((a, b) => a - b);
    if (last !== undefined && at - last > GAP_SECONDS) this.#push(last + 1, [null, null, null, null, null]);
    const percentiles = [0.5, 0.95, 0.99].map((share) => percentile(sorted, share));
    this.#push(at, [viewers, bitsPerSecond, ...percentiles]);
    const old = this.#at.findIndex((time) => time >= at - KEPT_SECONDS);
    if (old > 0) for (const column of [this.#at, ...Object.values(this.#values)]) column.splice(0, old);
  }

  get columns(): Columns {
    return { at: this.#at, ...this.#values };
  }

  #push(at: number, values: readonly (number | null)[]): void {
    this.#at.push(at);
    for (const [i, column] of Object.values(this.#values).entries()) column.push(values[i] ?? null);
  }
}

/** The value that this share (0 to 1) does not exceed, by nearest rank; null of nothing. */
export function percentile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

/** Bits per second between two readings of a counter of bytes; null where the counter began anew. */
export function rateOf(
  before: { readonly bytes: bigint; readonly atUs: bigint } | undefined,
  now: { readonly bytes: bigint; readonly atUs: bigint },
): number | null {
  if (!before || now.bytes < before.bytes || now.atUs <= before.atUs) return null;
  return (Number(now.bytes - before.bytes) * 8e6) / Number(now.atUs - before.atUs);
}
