/** A time or span in seconds. On a stream: of the stream's timeline. */
export type Seconds = number & { readonly unit?: "s" };
/** A span in milliseconds. */
export type Millis = number & { readonly unit?: "ms" };
/** A moment in milliseconds since 1970, by this machine's monotonic clock; see now. */
export type Moment = number & { readonly unit?: "ms since 1970" };

/**
 * The present moment. It starts from the wall clock and then only grows, and is
 * the same in a page and its workers.
 */
export function now(): Moment {
  return performance.timeOrigin + performance.now();
}
