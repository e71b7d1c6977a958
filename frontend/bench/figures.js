/** The value below which the part p (0 to 1) of sorted values lies. */
export function percentile(sorted, p) {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))];
}

/** Longer than this without a new frame is a freeze, in milliseconds. */
export const freezeAfter = 200;

/**
 * What the frames of one run come to. Times are in milliseconds.
 *
 * `latency` is from the moment a frame was drawn by the source to the callback of
 * the page in which it can be read from the screen, encoder included. `steady` is
 * the same to the moment of presentation, worked out from the frame's media time:
 * it does not depend on when a busy page gets to run its callback.
 */
export function summarize(frames) {
  const read = frames.filter((f) => f.latency !== undefined);
  const latency = read.map((f) => f.latency).sort((a, b) => a - b);
  // Media time and the clock of the source run alike, so that their distance is
  // one number. A callback that came late read a later frame than it was told of.
  const offsets = read.map((f) => f.latency - f.at + f.media * 1000).sort((a, b) => a - b);
  const offset = percentile(offsets, 0.9);
  const steady = frames.map((f) => f.presented - f.media * 1000 + offset).sort((a, b) => a - b);
  const freezes = [];
  for (let i = 1; i < frames.length; i++) {
    const pause = frames[i].presented - frames[i - 1].presented;
    const skipped = frames[i].count - frames[i - 1].count;
    if (pause / skipped > freezeAfter) freezes.push({ at: frames[i].at, length: pause });
  }
  const span = frames.length > 1 ? frames.at(-1).presented - frames[0].presented : 0;
  const presented = frames.length > 1 ? frames.at(-1).count - frames[0].count : 0;
  return {
    frames: frames.length,
    unread: frames.length - read.length,
    fps: span > 0 ? (presented * 1000) / span : 0,
    latency: spread(latency),
    steady: spread(steady),
    freezes,
  };
}

function spread(sorted) {
  return {
    p50: percentile(sorted, 0.5),
    p95: percentile(sorted, 0.95),
    p99: percentile(sorted, 0.99),
    max: sorted.at(-1) ?? Number.NaN,
  };
}
