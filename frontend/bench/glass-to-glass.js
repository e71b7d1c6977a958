// Glass to glass: from the drawing of a frame, through x264, ffmpeg and the
// server, to a frame in headless Chromium.
//
//   node bench/glass-to-glass.js [--case av,video,...] [--seconds 60] [--runs 5] [--joins 20] [--ways exec,rtmp,...] [--json FILE] [--check]
//
// With --check it fails when a figure is over its bound.
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { loadavg } from "node:os";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { openBare } from "./bare.js";
import { bars, kept } from "./bars.js";
import { recovery, summarize } from "./figures.js";
import { publishBy, ways } from "./publishers.js";
import {
  embedOf,
  framesOf,
  nowOf,
  openPlayer,
  skewOf,
  startBrowser,
  startNetwork,
  startServer,
  statsOf,
  stopAll,
} from "./stage.js";

const { values: options } = parseArgs({
  options: {
    case: { type: "string", default: "av,video,first,jitter,squeeze,busy,paths" },
    seconds: { type: "string", default: "60" },
    runs: { type: "string", default: "5" },
    ways: { type: "string", default: Object.keys(ways).join(",") },
    joins: { type: "string", default: "20" },
    query: { type: "string", default: "" },
    json: { type: "string" },
    check: { type: "boolean", default: false },
  },
});
const seconds = Number(options.seconds);
const runs = Number(options.runs);

/** A player has this long to find its latency before it is measured. */
const settling = 5_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The kernel's words for the two bad networks of the table. */
const jitter = {
  down: { delay_ms: 20, jitter_ms: 20, stall_probability: 0.03, stall_ms: 250 },
  up: { delay_ms: 20 },
};
/** About half of what the clock sends. */
const squeezed = { down: { rate_bytes_per_second: 20_000, queue_bytes: 16_384 } };

const ms = (value) => (Number.isFinite(value) ? value.toFixed(0) : "-").padStart(5);

function row(name, s, more = "") {
  const l = s.latency;
  console.log(
    `${name.padEnd(22)} p50 ${ms(l.p50)}  p95 ${ms(l.p95)}  p99 ${ms(l.p99)}  max ${ms(l.max)} ms` +
      `  ${s.fps.toFixed(1)} fps  freezes ${s.freezes.length}${more}`,
  );
}

/** The clocks of page and source may be this far apart, in milliseconds, to be compared. */
const skewAllowed = 3;

/** Plays for a while and sums up what came after the player settled. */
async function play(browser, address, { settle = settling, ...settings }, during = async () => {}) {
  const page = await openPlayer(browser, address, { query: options.query, ...settings });
  await sleep(settle);
  const from = await nowOf(page);
  await Promise.all([sleep(seconds * 1000), during(page)]);
  const to = await nowOf(page);
  const [series, stats, skew] = [await framesOf(page), await statsOf(page), await skewOf(page)];
  await page.close();
  if (Math.abs(skew) > skewAllowed)
    console.log(`the page's clock is ${skew.toFixed(1)} ms off: the figures are as well`);
  const player = {
    latency: stats?.latency,
    target: stats?.target,
    stalls: stats?.stalls,
    gaps: stats?.gaps,
    recoveries: stats?.recoveries,
  };
  return { summary: { ...summarize(series, from, to), player }, series, from, to };
}

async function repeated(name, browser, address, settings) {
  const all = [];
  for (let run = 1; run <= runs; run++) {
    const { summary } = await play(browser, address, settings);
    row(`${name} ${run}/${runs}`, summary, `  stalls ${summary.player.stalls ?? "-"}`);
    all.push(summary);
  }
  return all;
}

/** The first frame is looked for this often, and for this long. */
const looking = { every: 100, most: 100 };

/** The time from navigation to the first presented frame, or infinity. */
async function firstFrame(page) {
  for (let look = 0; look < looking.most; look++) {
    await sleep(looking.every);
    const first = await page.evaluate(() => window.benchFrames?.[0]?.presented);
    if (first !== undefined) return first;
  }
  return Number.POSITIVE_INFINITY;
}

/** First frames of visits at any moment of the GOP; visit resolves with one. */
async function firstFrames(name, visit) {
  const times = [];
  for (let i = 0; i <= Number(options.joins); i++) {
    await sleep(Math.random() * 2000);
    const time = await visit();
    // The first load of a browser is not a viewer's usual one.
    if (i > 0) times.push(time);
  }
  times.sort((a, b) => a - b);
  const figures = { median: times[Math.floor(times.length / 2)], worst: times.at(-1), times };
  console.log(
    `${`first frame, ${name}`.padEnd(34)} median ${ms(figures.median)}  worst ${ms(figures.worst)} ms  of ${times.length}`,
  );
  return figures;
}

/** Visits by browsers that have never seen the server. */
const newcomers = (browser, url) => async () => {
  const page = await openBare(browser, url);
  const time = await firstFrame(page);
  await page.close();
  return time;
};

/** Visits by one browser that was on another page of the server before. */
async function returning(browser, address) {
  const page = await openBare(browser, `http://${address}/`);
  const figures = await firstFrames("seen before", async () => {
    await page.goto(`http://${address}/healthz`);
    await sleep(looking.every);
    await page.goto(embedOf(address, options.query));
    return firstFrame(page);
  });
  await page.close();
  return figures;
}

/** A page with a <video> of the stream's endless file, and no player. */
async function bareTag(browser, address) {
  const html = `<!doctype html><video autoplay muted crossorigin src="http://${address}/streams/clock.mp4"></video>`;
  const server = createServer((_, response) => response.setHeader("Content-Type", "text/html").end(html));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const figures = await firstFrames("bare <video>", newcomers(browser, `http://127.0.0.1:${server.address().port}/`));
  server.close();
  return figures;
}

/** How far from the latency before a squeeze is back at it, in milliseconds. */
const near = 50;

/** A squeeze below the bitrate for 6 s, and the time back to the latency before. */
async function squeeze(browser, server) {
  const network = await startNetwork(server.address, {});
  const marks = { begin: 0, end: 0, wall: 0 };
  const { summary, series, from } = await play(browser, network.address, {}, async (page) => {
    await sleep(5000);
    marks.wall = Date.now();
    marks.begin = await nowOf(page);
    await network.set(squeezed);
    await sleep(6000);
    await network.set({});
    marks.end = await nowOf(page);
  });
  await network.stop();
  const before = summarize(series, from, marks.begin).latency.p50;
  const worst = summarize(series, marks.begin, marks.end);
  const back = recovery(series, marks.end, before + near);
  const told = (summary.player.gaps ?? []).filter((gap) => gap.at >= marks.wall).length;
  const untold = worst.freezes.length > 0 && told === 0 ? 1 : 0;
  console.log(
    `${"squeezed for 6 s".padEnd(22)} before p50 ${ms(before)}  meanwhile max ${ms(worst.latency.max)}, freezes ${worst.freezes.length}` +
      `  back within ${near} ms after ${ms(back)} ms  gaps told ${told}`,
  );
  return { ...summary, before, meanwhile: worst, back, untold };
}

/** Every way of publishing, in turns, so that what else the machine does hits all of them alike. */
async function paths(browser) {
  const all = {};
  for (let run = 1; run <= runs; run++) {
    for (const way of options.ways.split(",")) {
      const published = await publishBy(way);
      // Twice as long: the publisher has just begun as well.
      const { summary } = await play(browser, published.address, { settle: 2 * settling });
      await published.stop();
      row(
        `${way} ${run}/${runs}`,
        summary,
        `  stalls ${summary.player.stalls ?? "-"}  load ${loadavg()[0].toFixed(1)}`,
      );
      all[way] = [...(all[way] ?? []), summary];
    }
  }
  return all;
}

const cases = {
  paths,
  async av(browser) {
    const server = await startServer();
    const all = await repeated("picture and sound", browser, server.address, {});
    await server.stop();
    return all;
  },
  async video(browser) {
    const server = await startServer({ audio: false });
    const all = await repeated("video only", browser, server.address, {});
    await server.stop();
    return all;
  },
  async first(browser) {
    const server = await startServer();
    const { address } = server;
    const figures = await firstFrames("never seen", newcomers(browser, embedOf(address, options.query)));
    const again = await returning(browser, address);
    const bare = await bareTag(browser, address);
    await server.stop();
    return { ...figures, again, bare };
  },
  async jitter(browser) {
    const server = await startServer();
    const network = await startNetwork(server.address, jitter);
    const all = await repeated("bad network", browser, network.address, {});
    await network.stop();
    await server.stop();
    return all;
  },
  async squeeze(browser) {
    const server = await startServer();
    const figures = await squeeze(browser, server);
    await server.stop();
    return figures;
  },
  async busy(browser) {
    const server = await startServer();
    const { summary: idle } = await play(browser, server.address, {});
    const { summary: busy } = await play(browser, server.address, { busy: 0.7 });
    await server.stop();
    console.log(
      `${"main thread 70 % busy".padEnd(22)} p50 ${ms(busy.steady.p50)}, idle ${ms(idle.steady.p50)} ms to presentation` +
        `  freezes ${busy.freezes.length}  stalls ${busy.player.stalls ?? "-"}`,
    );
    return { idle, busy, stalls: Math.max(busy.player.stalls ?? Number.NaN, busy.freezes.length) };
  },
};

/** Prints the figures beside their bounds. Tells whether all are kept. */
function judge(results) {
  console.log("");
  let all = true;
  for (const [name, result] of Object.entries(results)) {
    for (const bar of bars[name](result, seconds)) {
      all &&= kept(bar);
      const figure = Number.isFinite(bar.figure) ? bar.figure.toFixed(0) : "never";
      console.log(
        `${kept(bar) ? "kept  " : "MISSED"}  ${name.padEnd(8)} ${bar.what.padEnd(38)} ${figure.padStart(6)}  bound ${bar.bound}`,
      );
    }
  }
  return all;
}

const results = { seconds, runs, load: loadavg(), cases: {} };
let browser;
try {
  console.log(
    `Glass to glass, 640x360 at 30 fps, x264 ultrafast zerolatency, GOP 60; ${seconds} s a run; load ${loadavg()[0].toFixed(1)}`,
  );
  browser = await startBrowser();
  for (const name of options.case.split(",")) {
    if (!cases[name]) throw new Error(`--case: ${name} is not one of ${Object.keys(cases).join(", ")}`);
    results.cases[name] = await cases[name](browser);
  }
  const good = judge(results.cases);
  if (options.check && !good) process.exitCode = 1;
  if (options.json) {
    mkdirSync(dirname(options.json), { recursive: true });
    writeFileSync(options.json, JSON.stringify(results, undefined, 2));
  }
} finally {
  await browser?.close();
  await stopAll();
}
