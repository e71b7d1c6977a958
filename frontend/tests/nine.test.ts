import type { FramewirePlayerElement, Stats } from "@framewire/player";
import type { CDPSession, Page } from "playwright-core";
import { expect } from "vitest";
import { clip } from "./harness/ffmpeg.ts";
import { Player } from "./harness/player.ts";
import { setting } from "./harness/setting.ts";
import { until } from "./harness/until.ts";

const here = setting({
  async serve(files) {
    await clip(files.path("small.mp4"), "h264", 4);
    return ["--origin", "*", "--source", `small=${files.path("small.mp4")}`];
  },
});

/** How far from its target a player may be for a moment, in milliseconds: half of what makes it jump. */
const nearTarget = 500;
/** Of a core, for the page's own thread, for each player that plays: about three times what was measured. */
const maxPageShare = 0.1;
/** Of the page's heap for each player, in bytes: about two and a half times what was measured. */
const maxHeap = 1e6;
/** Nodes and listeners that may stay behind eight players which are gone: not one for each. */
const maxLeftBehind = 7;

async function mount(page: Page, count: number): Promise<void> {
  await page.evaluate(
    ([src, count]) => {
      for (let i = 0; i < count; i++) {
        const player = document.createElement("framewire-player");
        player.toggleAttribute("autoplay", true);
        player.toggleAttribute("muted", true);
        player.style.width = "200px";
        player.setAttribute("src", src);
        document.body.append(player);
      }
    },
    [`ws://${here.address}/ws?stream=small`, count] as const,
  );
}

/** Leaves the first. */
async function unmountOthers(page: Page): Promise<void> {
  await page.evaluate(() => {
    for (const player of [...document.querySelectorAll("framewire-player")].slice(1)) player.remove();
  });
}

/** Chromium's figures of a page, with its garbage collected. */
async function figures(session: CDPSession): Promise<Record<string, number>> {
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
}

here.it("nine players on a page keep to their budgets, starve none, and leave nothing behind", async (stage) => {
  const page = await stage.open(
    here.site.page(`<script type="module" src="http://${here.address}/player.js"></script>`),
  );
  const session = await page.context().newCDPSession(page);
  // Time that the thread has worked, which neighbours on the machine do not lengthen.
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const players = Array.from({ length: 9 }, (_, i) => new Player(page, `framewire-player >> nth=${i}`));
  const [first] = players as [Player];
  const all = () =>
    page.evaluate(() =>
      [...document.querySelectorAll<FramewirePlayerElement>("framewire-player")].map(({ stats, status }) => ({
        stats,
        status: status.kind,
      })),
    );
  const viewers = (count: number) =>
    until(`${count} viewers`, async () => (await first.do((player) => player.listStreams()))[0]?.viewers === count);
  const workers = (count: number) => until(`${count} workers`, () => page.workers().length === count);

  // What all players share is there after two of them.
  await mount(page, 2);
  await first.plays(5);
  await unmountOthers(page);
  await workers(1);
  await viewers(1);
  const before = await figures(session);

  await mount(page, 8);
  await until("all nine at their targets", async () =>
    (await all()).every(({ stats, status }) => status === "playing" && isNear(stats)),
  );
  expect(page.workers(), "one worker each").toHaveLength(9);
  await viewers(9);
  const [begun, from] = [await all(), await figures(session)];
  await first.plays(50);
  const [ended, to] = [await all(), await figures(session)];
  const decoded = ended.map(({ stats }, i) => (stats?.framesDecoded ?? 0) - (begun[i]?.stats?.framesDecoded ?? 0));
  expect(Math.min(...decoded), `frames of each: ${decoded}`).toBeGreaterThan(Math.max(...decoded) / 2);
  expect(new Set(ended.map(({ stats }) => stats?.sessionId)).size, "sessions").toBe(9);
  expect(ended.map(({ stats }) => stats?.reconnects)).toEqual(Array(9).fill(0));
  const share = (worked(to) - worked(from)) / (seconds(to) - seconds(from)) / 9;
  expect(share, "of a core in the page's thread, for each player").toBeLessThan(maxPageShare);
  expect((to.JSHeapUsedSize ?? Number.NaN) / 9, "bytes of the heap for each player").toBeLessThan(maxHeap);

  await unmountOthers(page);
  await workers(1);
  await viewers(1);
  for (const name of ["Nodes", "JSEventListeners"]) {
    await until(`${name} of eight players to be gone`, async () => {
      const after = await figures(session);
      return (after[name] ?? Number.NaN) <= (before[name] ?? Number.NaN) + maxLeftBehind;
    });
  }
  await first.plays(5);
});

function isNear(stats: Stats | undefined): boolean {
  return stats !== undefined && Math.abs(stats.buffer - stats.target) < nearTarget;
}

const worked = (figures: Record<string, number>) => figures.TaskDuration ?? Number.NaN;
const seconds = (figures: Record<string, number>) => figures.Timestamp ?? Number.NaN;
