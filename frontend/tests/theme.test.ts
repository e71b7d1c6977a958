import { join } from "node:path";
import type { FramewireVideoElement } from "@framewire/player";
import { expect } from "vitest";
import { root } from "../stage/programs.js";
import { setting } from "./harness/setting.ts";
import { until } from "./harness/until.ts";

const mediaChrome = join(root, "frontend", "node_modules", "media-chrome", "dist");
const here = setting({ serve: ["--origin", "*", "--source", "demo=demo:"] });

/** A theme of somebody else, out of media-chrome's own controls. */
const theme = (media: string) => `
  <template id="theme">
    <media-controller defaultstreamtype="live">
      <slot name="media" slot="media"></slot>
      <media-loading-indicator slot="centered-chrome" noautohide></media-loading-indicator>
      <media-control-bar>
        <media-play-button></media-play-button>
        <media-mute-button></media-mute-button>
        <media-volume-range></media-volume-range>
        <media-live-button></media-live-button>
        <media-time-range></media-time-range>
        <media-time-display></media-time-display>
        <media-playback-rate-button rates="1 2"></media-playback-rate-button>
      </media-control-bar>
    </media-controller>
  </template>
  <media-theme template="theme" style="width: 640px; height: 360px">${media}</media-theme>`;

here.it("the media element plays in a media-chrome theme of somebody else", async (stage) => {
  const media = `<framewire-video slot="media" src="ws://${here.address}/ws?stream=demo" style="width: 100%; height: 100%"></framewire-video>`;
  const page = await stage.open(here.site.page(theme(media)));
  await page.route("**/media-chrome/**", (route) =>
    route.fulfill({ path: join(mediaChrome, new URL(route.request().url()).pathname.replace("/media-chrome/", "")) }),
  );
  await page.addScriptTag({ url: `http://${here.address}/player.js`, type: "module" });
  for (const file of ["index.js", "media-theme-element.js"]) {
    await page.addScriptTag({ url: `/media-chrome/${file}`, type: "module" });
  }
  const controller = page.locator("media-controller");
  const control = (name: string) => page.locator(`media-theme media-${name}`);
  const video = <T>(look: (element: FramewireVideoElement) => T) =>
    page.locator("framewire-video").evaluate(look as (element: Element) => T);
  /** Waits until the theme's own state has, or has not, an attribute; or has it with a value. */
  const shows = (attribute: string, expected: string | boolean) =>
    until(`${attribute} to be ${expected}`, async () => {
      const value = await controller.getAttribute(attribute);
      return typeof expected === "string" ? value === expected : (value !== null) === expected;
    });

  await shows("mediapaused", true);
  await control("play-button").click();
  await shows("mediapaused", false);
  await shows("mediahasplayed", true);
  await shows("medialoading", false);
  await shows("mediastreamtype", "live");
  await shows("mediatimeislive", true);
  const window = await video((element) => element.targetLiveWindow);
  expect(window, "seconds that can be sought in").toBeGreaterThan(0);
  await shows("mediatargetlivewindow", String(window));

  await control("mute-button").click();
  await shows("mediavolumelevel", "off");
  expect(await video((element) => element.muted)).toBe(true);
  await control("mute-button").click();
  await shows("mediavolumelevel", "high");
  const volume = control("volume-range").locator("input");
  await volume.focus();
  await page.keyboard.press("ArrowLeft");
  await until("the theme to show the volume", async () => {
    const { shown, real } = {
      shown: Number(await controller.getAttribute("mediavolume")),
      real: await video((element) => element.volume),
    };
    return real < 1 && shown === real;
  });

  // The small changes of rate that keep the live edge are none of the theme's, and it cannot change the rate.
  await control("playback-rate-button").click();
  expect(await controller.getAttribute("mediaplaybackrate")).toBe("1");

  await until("six seconds to seek in", () =>
    video(({ seekable }) => seekable.length > 0 && seekable.end(0) - seekable.start(0) > 6),
  );
  const box = await control("time-range").boundingBox();
  if (!box) throw new Error("the time range is not to be seen");
  await page.mouse.click(box.x + box.width / 4, box.y + box.height / 2);
  await shows("mediatimeislive", false);
  await until("the end of the seek", () => video((element) => !element.seeking && !element.isLive));
  const sought = await video(({ currentTime, seekable }) => ({ currentTime, start: seekable.start(0) }));
  expect(sought.currentTime).toBeGreaterThanOrEqual(sought.start - 1);
  await until("the time range to follow", () =>
    page.evaluate(() => {
      const find = (name: string) => document.querySelector("media-theme")?.shadowRoot?.querySelector(name);
      const range = find("media-time-range") as (Element & { range?: HTMLInputElement }) | null | undefined;
      return Number(range?.range?.value) > 0 && Number(range?.range?.value) < 0.9;
    }),
  );

  await control("live-button").click();
  await shows("mediatimeislive", true);
  await until("live", () => video((element) => element.isLive));
  await control("play-button").click();
  await shows("mediapaused", true);
  await control("live-button").click();
  await shows("mediapaused", false);
  await shows("mediatimeislive", true);
});
