// What the figures have to be, each with its bound.

/** @typedef {ReturnType<import("./figures.js").summarize>} Summary */
/** @typedef {{ what: string, figure: number, bound: number }} Bar */

/** @param {readonly Summary[]} runs @param {(run: Summary) => number} of */
const worst = (runs, of) => runs.map(of).reduce((a, b) => (b > a || Number.isNaN(b) ? b : a), 0);

/** @param {readonly Summary[]} runs @param {number} p50 @param {number} p99 @returns {Bar[]} */
const steadyPlay = (runs, p50, p99) => [
  { what: "p50 of the worst run, ms", figure: worst(runs, (run) => run.latency.p50), bound: p50 },
  { what: "p99 of the worst run, ms", figure: worst(runs, (run) => run.latency.p99), bound: p99 },
  { what: "freezes in the worst run", figure: worst(runs, (run) => run.freezes.length), bound: 0 },
];

/** The middle of the runs' p50. @param {readonly Summary[] | undefined} runs */
const middle = (runs) => (runs ?? []).map((run) => run.latency.p50).sort((a, b) => a - b)[(runs?.length ?? 0) >> 1];

/** The bars of each case, given its results. */
export const bars = {
  /** @param {Summary[]} runs */
  av: (runs) => steadyPlay(runs, 150, 220),
  /** @param {Summary[]} runs */
  video: (runs) => steadyPlay(runs, 70, 120),
  /** @param {{ median: number, worst: number }} joins @returns {Bar[]} */
  first: (joins) => [
    { what: "median, ms", figure: joins.median, bound: 150 },
    { what: "worst, ms", figure: joins.worst, bound: 300 },
  ],
  /** @param {Summary[]} runs @param {number} seconds @returns {Bar[]} */
  jitter: (runs, seconds) => [
    { what: "p50 of the worst run, ms", figure: worst(runs, (run) => run.latency.p50), bound: 350 },
    {
      what: "freezes a minute, worst run",
      figure: (worst(runs, (run) => run.freezes.length) * 60) / seconds,
      bound: 1,
    },
  ],
  /** @param {{ back: number, untold: number }} result @returns {Bar[]} */
  squeeze: (result) => [
    { what: "back at the latency before after, ms", figure: result.back, bound: 3000 },
    { what: "gaps not told", figure: result.untold, bound: 0 },
  ],
  /** @param {{ idle: Summary, busy: Summary, stalls: number }} result @returns {Bar[]} */
  busy: (result) => [
    { what: "p50 more than idle, ms", figure: result.busy.steady.p50 - result.idle.steady.p50, bound: 50 },
    { what: "stalls", figure: result.stalls, bound: 0 },
  ],
  /** @param {Partial<Record<string, Summary[]>>} ways @returns {Bar[]} */
  paths: (ways) => [
    ...["rtmp", "whip"].map((way) => ({
      what: `p50 of ${way} more than exec, ms`,
      figure: (middle(ways[way]) ?? Number.NaN) - (middle(ways.exec) ?? Number.NaN),
      bound: 20,
    })),
    { what: "p50 of the studio, ms", figure: middle(ways.studio) ?? Number.NaN, bound: 200 },
  ],
};

/** A figure that could not be measured does not keep its bound. @param {Bar} bar */
export const kept = (bar) => bar.figure <= bar.bound;
