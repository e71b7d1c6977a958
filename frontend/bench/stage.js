import { join } from "node:path";
import { program, root, serve } from "../stage/programs.js";

export { startBrowser, startNetwork, stopAll } from "../stage/programs.js";

/** Starts the server with the clock as its stream. Resolves with its address. */
export async function startServer({ audio = true, codec = "h264" } = {}) {
  const clock = [program("benchclock"), ...(audio ? [] : ["--no-audio"]), "--video-codec", codec];
  const server = await serve(["--origin", "*", "--source", `clock=exec:${clock.join(" ")}`]);
  await live(server.address);
  return server;
}

/** Waits until the stream can be seen. */
export async function live(address) {
  for (let i = 0; i < 100; i++) {
    const response = await fetch(`http://${address}/streams/clock.mp4`, { signal: AbortSignal.timeout(2000) }).catch(
      () => undefined,
    );
    await response?.body?.cancel();
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the clock did not go live within 10 s");
}

/** The page with the player alone, which plays by itself and with sound. */
export const embedOf = (address, query = "") => `http://${address}/embed/clock?autoplay=1&muted=0${query}`;

/** Opens the player with the probe in it. */
export async function openPlayer(browser, address, { query = "", busy = 0 } = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
  await page.addInitScript({ path: join(root, "frontend", "bench", "probe.js") });
  if (busy > 0) await page.addInitScript(work, busy);
  await page.goto(embedOf(address, query), { waitUntil: "commit" });
  return page;
}

/** Keeps the page's thread busy for the given part of the time. */
function work(part) {
  const period = 50;
  setInterval(() => {
    const end = performance.now() + period * part;
    while (performance.now() < end);
  }, period);
}

/** The frames noted so far. */
export const framesOf = (page) => page.evaluate(() => window.benchFrames);

/** The player's own figures. */
export const statsOf = (page) => page.evaluate(() => document.querySelector("framewire-player")?.stats);

/** The page's clock. */
export const nowOf = (page) => page.evaluate(() => performance.now());

/**
 * How far the page's clock, which is set when it is opened, is ahead of the system's.
 * Date.now is cut to whole milliseconds, so the smallest difference is the true one,
 * among those during which the page was not interrupted.
 */
export const skewOf = (page) =>
  page.evaluate(() => {
    const uninterrupted = 0.3;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 20_000; i++) {
      const before = performance.now();
      const wall = Date.now();
      const after = performance.now();
      if (after - before < uninterrupted) least = Math.min(least, performance.timeOrigin + before - wall);
    }
    return least;
  });
