import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { serve, startBrowser, stopAll } from "../stage/programs.js";
import { holds, type Stage } from "./harness/stage.ts";
import { until } from "./harness/until.ts";

let address: string;
let browser: Browser;
const it = (name: string, body: (stage: Stage) => Promise<void>) => holds(name, () => browser, body);

beforeAll(async () => {
  ({ address } = await serve(["--source", "demo=demo:"]));
  browser = await startBrowser();
});
afterAll(async () => {
  await browser.close();
  await stopAll();
});

describe("the demo", () => {
  it("plays with pictures that change and sound that is decoded", async (stage) => {
    const player = await stage.embed(address, "demo", "?muted=0");
    await player.plays(30);
    const before = await player.picture();
    expect(Math.max(...before), "the brightest part of the picture").toBeGreaterThan(60);
    await until("another picture", async () => (await player.picture()).some((value, i) => value !== before[i]));
    await player.sounds();
  });
});
