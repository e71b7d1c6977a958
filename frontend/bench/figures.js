// What the frames of a run come to. Times are in milliseconds, those of frames on
// the clock of the page (performance.now).

/**
 * A presented frame as probe.js notes it: the callback in which it was read, its
 * presentation, its media time in seconds, and how many frames were presented up
 * to it. latency and number are missing where its code could not be read.
 *
 * @typedef {{ at: number, presented: number, count: number, media: number, number?: number, latency?: number }} Frame
 */

/**
 * The value below which the part p (0 to 1) of sorted values lies.
 *
 * @param {readonly number[]} sorted
 * @param {number} p
 */
export function percentile(sorted, p) {
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN;
}

/** Longer than this without a new frame is a freeze. */
export const freezeAfter = 200;

/**
 * What was presented from one moment to another. A picture that stands still
 * before the first frame, or after the last, is a freeze as well.
 *
 * `latency` is from the moment a frame was drawn by the source to the callback of
 * the page in which it can be read from the screen, encoder included. `steady` is
 * the same to the moment of presentation, worked out from the frame's media time:
 * it does not depend on when a busy page gets to run its callback.
 *
 * @param {readonly Frame[]} all
 * @param {number} from
 * @param {number} to
 */
export function summarize(all, from, to) {
  const frames = all.filter((frame) => frame.presented >= from && frame.presented <= to);
  const read = frames.flatMap(({ latency, at, media }) => (latency === undefined ? [] : [{ latency, at, media }]));
  // Media time and the clock of the source run alike, so that their distance is
  // one number. A callback that came late read a later frame than it was told of.
  const offsets = read.map((frame) => frame.latency - frame.at + frame.media * 1000).sort(ascending);
  const offset = percentile(offsets, 0.9);
  return {
    frames: frames.length,
    unread: frames.length - read.length,
    fps: (presentedIn(frames) * 1000) / (to - from),
    latency: spread(read.map((frame) => frame.latency)),
    steady: spread(frames.map((frame) => frame.presented - frame.media * 1000 + offset)),
    freezes: freezesOf(frames, from, to),
  };
}

/** @param {number} a @param {number} b */
const ascending = (a, b) => a - b;

/** @param {number[]} values */
function spread(values) {
  const sorted = values.sort(ascending);
  return {
    p50: percentile(sorted, 0.5),
    p95: percentile(sorted, 0.95),
    p99: percentile(sorted, 0.99),
    max: percentile(sorted, 1),
  };
}

/**
 * How many frames were presented from one to the next: more than one where the
 * page was too busy to be told of each. The count starts over with a new element.
 *
 * @param {Frame} before
 * @param {Frame} after
 */
const step = (before, after) => Math.max(1, after.count - before.count);

/** @param {readonly Frame[]} frames */
function presentedIn(frames) {
  return frames.reduce((sum, frame, i) => {
    const before = frames[i - 1];
    return sum + (before ? step(before, frame) : 1);
  }, 0);
}

/** @param {readonly Frame[]} frames @param {number} from @param {number} to */
function freezesOf(frames, from, to) {
  const freezes = [];
  /** @type {Frame | undefined} */
  let before;
  for (const frame of frames) {
    const pause = frame.presented - (before?.presented ?? from);
    if (pause / (before ? step(before, frame) : 1) > freezeAfter) freezes.push({ at: frame.presented, length: pause });
    before = frame;
  }
  const rest = to - (before?.presented ?? from);
  if (rest > freezeAfter) freezes.push({ at: to, length: rest });
  return freezes;
}

/** So long the latency has to be good again to count as recovered. */
const recoveredFor = 1000;

/**
 * How long after a moment the latency is back within a bound and stays there for a
 * second, with pictures moving; NaN if it never is.
 *
 * @param {readonly Frame[]} all
 * @param {number} since
 * @param {number} bound
 */
export function recovery(all, since, bound) {
  /** @type {number | undefined} */
  let good;
  let last = since;
  for (const frame of all) {
    if (frame.presented < since) continue;
    const late = frame.latency === undefined || frame.latency > bound;
    if (late || frame.presented - last > freezeAfter) good = undefined;
    if (!late) good ??= frame.presented;
    if (good !== undefined && frame.presented - good >= recoveredFor) return good - since;
    last = frame.presented;
  }
  return Number.NaN;
}
