import { expect, test } from "vitest";
import { Player, record } from "./harness/player.ts";
import { setting } from "./harness/setting.ts";
import { until } from "./harness/until.ts";

/** How long to play; SOAK_MINUTES says otherwise. */
const minutes = Number(process.env.SOAK_MINUTES ?? 30);
/** What is buffered, once that has settled. */
const settled = 30;
/** A heap may breathe, but not grow by more than this, in bytes. */
const mostGrowth = 24 << 20;
/** How often to tell how it goes. */
const telling = 60_000;
/** A machine that does much else may keep a page from answering for a while. */
const patience = 180_000;

const here = setting({ serve: ["--origin", "*", "--source", "demo=demo:"] });

test(
  `plays for ${minutes} minutes with the buffer trimmed, memory flat, and live to the end`,
  async () => {
    const page = await here.browser.newPage();
    page.setDefaultTimeout(patience);
    await page.addInitScript(record);
    // On the page's own thread, where its heap can be seen.
    await page.goto(here.site.element(here.address, "demo", "autoplay no-worker"));
    const player = new Player(page);
    await player.plays();
    const cdp = await page.context().newCDPSession(page);
    const heap = async () => {
      await cdp.send("HeapProfiler.collectGarbage");
      return (await cdp.send("Runtime.getHeapUsage")).usedSize;
    };
    const time = () => player.do((element) => element.currentTime);
    const begin = await time();
    await until("the buffer to settle", async () => (await time()) - begin > settled, 4 * settled * 1000);
    const before = await heap();
    const began = performance.now();
    let told = began;
    let mostHeld = 0;
    await until(
      "the end of the time",
      async () => {
        // Nothing is, for a moment, where the MediaSource was made anew.
        const held = await player.do(({ buffered, currentTime }) =>
          buffered.length > 0 ? currentTime - buffered.start(0) : 0,
        );
        mostHeld = Math.max(mostHeld, held);
        if (held > settled) throw new Error(`${held} s are held behind the playhead`);
        if (performance.now() - told > telling) {
          told = performance.now();
          const { kind } = await player.status();
          const played = (await time()) - begin - settled;
          const { latency = Number.NaN, recoveries = [] } = (await player.stats()) ?? {};
          const lately = recoveries.filter(({ at }) => at > Date.now() - telling).map(({ action }) => action);
          const passed = ((told - began) / 1000).toFixed(0);
          console.log(
            `${passed} s: ${kind}, ${played.toFixed(0)} s of the stream, ${latency.toFixed(0)} ms; ${lately.join(" ")}`,
          );
        }
        // By the clock: a source that a busy machine holds up loses time.
        return performance.now() - began >= minutes * 60_000;
      },
      2 * minutes * 60_000 + 60_000,
    );
    const after = await heap();
    const { stalls, stalled, recoveries = [] } = (await player.stats()) ?? {};
    console.log(
      `heap ${before} bytes when settled, ${after} at the end; ${mostHeld.toFixed(1)} s behind the playhead at most; ` +
        `${stalls} stalls, ${stalled?.toFixed(0)} ms in all; last recoveries: ${recoveries.map(({ action }) => action).join(" ")}`,
    );
    expect(after - before, "growth of the heap in bytes").toBeLessThan(mostGrowth);
    expect(await player.recoveries("reconnect")).toEqual([]);
    await until("the live edge", () => player.do((e) => e.isLive && e.seekable.end(0) - e.currentTime < 1.5));
  },
  3 * minutes * 60_000 + 300_000,
);
