import type { Page } from "playwright-core";
import { describe, expect } from "vitest";
import { serve } from "../stage/programs.js";
import { admin } from "./harness/admin.ts";
import { objections } from "./harness/axe.ts";
import { Player } from "./harness/player.ts";
import { setting } from "./harness/setting.ts";
import { brokenConnection, starts } from "./harness/stage.ts";
import { until } from "./harness/until.ts";

const here = setting({ serve: ["--source", "demo=demo:", "--source", "other=demo:"] });
const { it } = here;

/** What a page shows when it is ready. */
async function ready(page: Page, path: string): Promise<void> {
  if (path === "/") await until("the demo in the gallery", () => page.locator('a[href$="/watch/demo"]').count());
  else await new Player(page).plays();
}

describe("every page", () => {
  for (const colorScheme of ["light", "dark"] as const) {
    for (const path of ["/", "/watch/demo", "/embed/demo"]) {
      it(`${path} loads in ${colorScheme} colours without errors and without what axe objects to`, async (stage) => {
        const page = await stage.open(`http://${here.address}${path}`, { colorScheme, reducedMotion: "reduce" });
        await ready(page, path);
        expect(await objections(page)).toEqual([]);
      });
    }
  }

  for (const path of ["/watch/demo", "/embed/demo?muted=0&latency=400", "/embed/demo?controls=0"]) {
    it(`${path} plays over the connection that it opened before its player was loaded`, async (stage) => {
      const page = await stage.open("about:blank");
      const begun: number[] = [];
      page.on("websocket", () => begun.push(Date.now()));
      await page.goto(`http://${here.address}${path}`);
      await new Player(page).plays();
      expect(begun).toHaveLength(1);
      expect(page.workers()).toHaveLength(1);
      expect(await page.evaluate(() => "framewireEarlyStart" in globalThis)).toBe(false);
    });
  }

  for (const path of ["/watch/demo", "/embed/demo?muted=0"]) {
    it(`${path} plays before its scripts have come, which then take over what plays`, async (stage) => {
      const page = await stage.open("about:blank");
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      await page.route("**/player.js", (route) => held.then(() => route.continue()));
      await page.goto(`http://${here.address}${path}`, { waitUntil: "commit" });
      const video = page.locator("framewire-player video");
      await until("pictures to move", () => video.evaluate((video: HTMLVideoElement) => video.currentTime > 0.5));
      expect(await page.evaluate(() => customElements.get("framewire-player"))).toBeUndefined();
      await video.evaluate((video) => {
        video.classList.add("the-same");
        for (const type of ["emptied", "pause"]) video.addEventListener(type, () => video.classList.add(type));
      });
      release();
      await new Player(page).plays();
      expect(await video.getAttribute("class")).toBe("the-same");
    });
  }

  it("fits a phone: nothing is wider than the screen, and the player's buttons are within it", async (stage) => {
    const phone = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
    for (const path of ["/", "/watch/demo", "/embed/demo"]) {
      const page = await stage.open(`http://${here.address}${path}`, phone);
      await ready(page, path);
      expect(await page.evaluate(() => document.documentElement.scrollWidth), `width of ${path}`).toBeLessThanOrEqual(
        360,
      );
      if (path === "/") continue;
      for (const part of ["play", "mute", "fullscreen"]) {
        const box = await page.locator(`framewire-player [part="${part}"]`).boundingBox();
        expect(box?.x, `left of ${part}`).toBeGreaterThanOrEqual(0);
        expect((box?.x ?? 0) + (box?.width ?? 999), `right of ${part}`).toBeLessThanOrEqual(360);
      }
    }
  });
});

describe("the gallery", () => {
  it("says on a card how many watch, and how far behind live they are", async (stage) => {
    await new Player(await stage.open(`http://${here.address}/embed/other`)).plays();
    const page = await stage.open(`http://${here.address}/`);
    const card = page.locator("li.card", { has: page.locator('a[href$="/watch/other"]') });
    await until("the latency", async () => /\d (ms|s) behind live/.test((await card.textContent()) ?? ""));
    expect(await card.textContent()).toContain("1 viewer");
  });

  it("says that there is nothing yet, that the server is lost, and is right again when it is back", async (stage) => {
    stage.allow(brokenConnection);
    const first = await serve(["--source", "gone=demo:"]);
    await admin(first.address, "RemoveStream", { stream: "gone" });
    const page = await stage.open(`http://${first.address}/`);
    await page.getByText("No streams yet").waitFor();
    await page.getByRole("link", { name: "Put one on it" }).waitFor();
    await first.stop();
    await page.getByRole("alert").filter({ hasText: "The connection to the server is lost" }).waitFor();
    stage.closes(await serve(["--source", "yard=demo:"], { listen: first.address }));
    await page.locator('a[href$="/watch/yard"]').waitFor();
    await until("the notice to be gone", async () => !(await page.getByRole("alert").isVisible()));
    expect(await page.getByText("No streams yet").isVisible()).toBe(false);
  });

  it("says that a stream is offline, with since when", async (stage) => {
    const publisher = starts(stage, ["publish", "-q", "--url", `ws://${here.address}/ws`, "--stream", "shed", "demo:"]);
    const page = await stage.open(`http://${here.address}/`);
    const card = page.locator("li.card", { has: page.locator('a[href$="/watch/shed"]') });
    await card.getByText("LIVE").waitFor();
    publisher.kill();
    await card.getByText("Offline", { exact: true }).waitFor();
    await card.getByText("Offline for moments").waitFor();
    expect(await card.getAttribute("data-status")).toBe("offline");
    await page.getByText("2 live, 0 viewers").waitFor();
  });

  it("says why the server ended its connection, and comes back when asked to", async (stage) => {
    const page = await stage.open(`http://${here.address}/`);
    await page.getByText("Connected", { exact: true }).waitFor();
    const { sessions } = await admin<{ sessions: { sessionId: string; client: string }[] }>(
      here.address,
      "ListSessions",
      {},
    );
    const session = await until("the page among the sessions", () =>
      sessions.find(({ client }) => client.startsWith("framewire-gallery")),
    );
    await admin(here.address, "KickSession", { sessionId: session.sessionId, message: "The fair is closed" });
    const notice = page.getByRole("alert").filter({ hasText: "The fair is closed" });
    await notice.waitFor();
    await page.getByText("Not connected", { exact: true }).waitFor();
    expect(await page.getByText("goes on by itself").isVisible()).toBe(false);
    await notice.getByRole("button", { name: "Try again" }).click();
    await page.getByText("Connected", { exact: true }).waitFor();
    expect(await notice.count()).toBe(0);
  });
});
