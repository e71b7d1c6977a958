import type { GapInfo } from "@framewire/player";
import { expect } from "vitest";
import { startNetwork } from "../stage/programs.js";
import type { Player } from "./harness/player.ts";
import { setting } from "./harness/setting.ts";
import { brokenConnection } from "./harness/stage.ts";
import { until } from "./harness/until.ts";

const here = setting({ serve: ["--source", "demo=demo:"], browser: { autoplay: false } });

/** What the statistics say, as rows and as what went wrong lately. */
function panel(player: Player) {
  return player.do((element) => {
    const shown = element.shadowRoot?.querySelector('[part="stats"]');
    const texts = (selector: string) => [...(shown?.querySelectorAll(selector) ?? [])].map((e) => e.textContent ?? "");
    const values = texts("dd");
    return {
      rows: Object.fromEntries(texts("dt").map((name, i) => [name, values[i]])),
      events: texts("li"),
    };
  });
}

here.it("the statistics list gaps with their reasons and connections that were made anew", async (stage) => {
  stage.allow(brokenConnection);
  const network = stage.closes(await startNetwork(here.address));
  const player = await stage.embed(network.address, "demo", "?muted=1");
  await player.do((element) => element.toggleAttribute("stats", true));
  await player.plays();
  expect((await panel(player)).rows.Reconnects).toBe("0");

  await network.cut();
  await until("the reconnection to be counted", async () => (await panel(player)).rows.Reconnects === "1");
  await until("its cause", async () => (await panel(player)).events.some((text) => /reconnect: /.test(text)));
  await player.plays();

  await network.set({ down: { hold: true } });
  await player.reaches("buffering");
  // What is shorter than can be seen is not told.
  const stood = performance.now();
  await until("a standstill that can be seen", () => performance.now() - stood > 500);
  await network.set({});
  // Only the newest few are listed, and a loaded machine makes more of them.
  await until("a gap with its length and its reason", async () => {
    const gaps = (await player.seen("gap")).map(({ detail }) => detail as GapInfo);
    const { events } = await panel(player);
    return gaps.some(({ reason, duration }) => {
      const words = `gap of ${(duration * 1000).toFixed(0)} ms: ${reason.replaceAll("_", " ")}`;
      return reason !== "unspecified" && events.some((text) => text.endsWith(words));
    });
  });
  await player.plays();
});

here.it("the statistics leave room for switching sound on, at the width of a small phone", async (stage) => {
  const player = await stage.embed(here.address, "demo", "", { viewport: { width: 320, height: 180 } });
  await player.plays();
  await player.do((element) => element.toggleAttribute("stats", true));
  await until("the button for sound", () =>
    player.do((e) => e.shadowRoot?.querySelector('[part="unmute"]')?.checkVisibility() === true),
  );
  await until("figures", async () => Object.keys((await panel(player)).rows).length > 5);
  const covered = await player.do((element) => {
    const button = element.shadowRoot?.querySelector('[part="unmute"]');
    const box = button?.getBoundingClientRect();
    if (!button || !box) return ["no button"];
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const points = [
      [x, y],
      [box.left + 2, y],
      [box.right - 2, y],
      [x, box.top + 2],
      [x, box.bottom - 2],
    ] as const;
    const inside = box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight;
    return [
      ...(inside ? [] : ["outside the window"]),
      ...points.flatMap(([x, y]) => {
        const top = element.shadowRoot?.elementFromPoint(x, y);
        return top && button.contains(top) ? [] : [`by ${top?.outerHTML.slice(0, 80)} at ${x}, ${y}`];
      }),
    ];
  });
  expect(covered, "what covers it").toEqual([]);
  await player.page.locator('[part="unmute"]').click();
  await until("sound", () => player.do((element) => !element.muted && !element.mutedByBrowser));
});
