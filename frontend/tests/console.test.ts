import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { program, serve, startBrowser, startNetwork, stopAll } from "../stage/programs.js";
import { temporary } from "./harness/ffmpeg.ts";
import { brokenConnection, holds, type Stage } from "./harness/stage.ts";
import { until } from "./harness/until.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let address: string;
let browser: Browser;
const files = temporary();
const it = (name: string, body: (stage: Stage) => Promise<void>) => holds(name, () => browser, body);

beforeAll(async () => {
  ({ address } = await serve(["--source", "demo=demo:", "--source", "other=demo:"]));
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await stopAll();
  files.remove();
});

/** Small pages: decoding is dear, and the console is what is looked at. */
const small = { viewport: { width: 320, height: 180 } };
const patient = { timeout: 45_000 };

const row = (page: Page, table: string, text: string): Locator =>
  page.getByRole("table", { name: table }).getByRole("row").filter({ hasText: text });

async function openConsole(stage: Stage, at = address, options: Parameters<Stage["open"]>[1] = {}): Promise<Page> {
  const page = await stage.open(`http://${at}/admin`, { viewport: { width: 1280, height: 900 }, ...options });
  page.setDefaultTimeout(patient.timeout);
  return page;
}

/** What axe objects to, with where it is. */
async function problems(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
    const { violations } = await axe.run(document);
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
  });
}

async function control(page: Page, choose: (dialog: Locator) => Promise<void>): Promise<Locator> {
  const dialog = page.getByRole("dialog", { name: "Control players" });
  await choose(dialog);
  await dialog.getByRole("button", { name: "Send" }).click();
  return dialog;
}

describe("the console", () => {
  it("shows streams, viewers, charts and events as they are", async (stage) => {
    const player = await stage.embed(address, "demo", "", small);
    await player.plays();
    const page = await openConsole(stage);
    const viewer = row(page, "Viewers", "framewire-player");
    await viewer
      .getByText(/^\d+ ms$|^\d+\.\d s$/)
      .first()
      .waitFor();
    await viewer.getByText("Playing").waitFor();
    const stream = row(page, "Streams", "demo:").filter({ has: page.getByRole("link", { name: "demo", exact: true }) });
    await stream.getByText("LIVE").waitFor();
    await until("a viewer that is counted", async () => (await stream.getByRole("cell").nth(2).textContent()) === "1");
    await page.getByRole("img", { name: /^Chart of viewers. Viewers: now 1/ }).waitFor();
    await page.getByRole("img", { name: /^Chart of bandwidth. Bandwidth: now [\d.]+ [kM]bit/ }).waitFor();
    await page.getByRole("img", { name: /^Chart of latency. p50: now \d/ }).waitFor();
    await page.getByRole("log").getByText("Viewer came: framewire-player").first().waitFor();
    expect(await page.locator("#connection").textContent()).toBe("Connected");
    expect(await problems(page), "what axe finds").toEqual([]);
  });

  it("a directive reaches the player, and the player's answer is shown", async (stage) => {
    const player = await stage.embed(address, "demo", "", small);
    await player.plays();
    const page = await openConsole(stage);
    await row(page, "Viewers", "framewire-player")
      .getByRole("button", { name: /^Control/ })
      .click();
    const dialog = await control(page, (dialog) => dialog.getByLabel("Pause").check(patient));
    await dialog.getByText("Answered: 1 done").waitFor();
    expect(await dialog.getByRole("listitem").textContent()).toContain("Done");
    await player.reaches("paused");

    await control(page, async (dialog) => {
      await dialog.getByLabel("Show a notice").check();
      await dialog.getByLabel("Notice", { exact: false }).last().fill("Back in <b>five</b> minutes");
    });
    await until("the notice at the player", async () =>
      JSON.stringify(await player.seen("notice")).includes("<b>five</b>"),
    );

    await control(page, async (dialog) => {
      await dialog.getByLabel("Switch stream").check();
      await dialog.getByRole("combobox", { name: "Stream" }).selectOption("other");
    });
    await row(page, "Viewers", "other").waitFor();
    expect(await problems(page), "what axe finds in the dialog").toEqual([]);
  });

  it("all viewers of a stream answer, each for itself", async (stage) => {
    const players = await Promise.all([1, 2].map(() => stage.embed(address, "demo", "", small)));
    for (const player of players) await player.plays();
    const page = await openConsole(stage);
    await row(page, "Viewers", "framewire-player").nth(1).waitFor();
    await page.getByRole("button", { name: "Control all" }).click();
    const dialog = await control(page, async (dialog) => {
      await dialog.getByLabel("To").selectOption({ label: "All viewers of demo" });
      await dialog.getByLabel("Pause").check();
    });
    await dialog.getByText("Answered: 2 done").waitFor();
    expect(await dialog.getByRole("listitem").count()).toBe(2);
    for (const player of players) await player.reaches("paused");
  });

  it("who is kicked reads the reason that the operator typed", async (stage) => {
    const player = await stage.embed(address, "demo", "", small);
    await player.plays();
    const page = await openConsole(stage);
    await row(page, "Viewers", "framewire-player").getByRole("button", { name: /^Kick/ }).click();
    const dialog = page.getByRole("dialog", { name: "Kick a viewer" });
    await dialog.getByLabel("What the viewer is told").fill("The concert is over");
    await dialog.getByRole("button", { name: "Kick" }).click();
    expect(await player.reaches("failed")).toMatchObject({ reason: "kicked", message: "The concert is over" });
    await player.page.getByText("The concert is over").first().waitFor(patient);
    await page.getByText("Nobody is watching.").waitFor();
    await page.getByRole("log").getByText("Viewer ended by an operator").first().waitFor();
  });

  it("a source that is added is a stream, until it is removed; what is wrong is told in the dialog", async (stage) => {
    const page = await openConsole(stage);
    stage.allow(/409 \(Conflict\)/);
    await page.getByRole("button", { name: "Add a source" }).click();
    const dialog = page.getByRole("dialog", { name: "Add a source" });
    await dialog.getByLabel("Name of the stream").fill("demo");
    await dialog.getByLabel("Source", { exact: false }).fill("demo:");
    await dialog.getByRole("button", { name: "Add" }).click();
    await dialog.getByRole("alert").getByText(/demo/).waitFor();
    await dialog.getByLabel("Name of the stream").fill("stage/left");
    await dialog.getByRole("button", { name: "Add" }).click();
    const added = row(page, "Streams", "stage/left");
    await added.getByText("LIVE").waitFor();
    expect(await page.getByRole("dialog").count()).toBe(0);

    await added.getByRole("button", { name: "Restart the source of stage/left" }).click();
    await page.getByText("The source of stage/left is being started again.").waitFor();
    await until("another epoch", async () => Number(await added.getByRole("cell").nth(5).textContent()) > 1);
    await added.getByRole("button", { name: "Remove stage/left" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await added.waitFor({ state: "detached" });
  });

  it("shows who publishes, and ends the one that is kicked", async (stage) => {
    const url = `ws://${address}/ws`;
    const publisher = spawn(program("framewire"), ["publish", "-q", "--url", url, "--stream", "stage/right", "demo:"]);
    const gone = once(publisher, "exit");
    stage.closes({
      async close() {
        publisher.kill("SIGKILL");
        await gone;
      },
    });
    const page = await openConsole(stage);
    const live = row(page, "Publishers", "stage/right");
    const cell = (n: number) => live.getByRole("cell").nth(n);
    await live.getByText("WS", { exact: true }).waitFor();
    await until("bytes that are counted", async () => /\d [kM]B/.test((await cell(3).textContent()) ?? ""));
    expect(await cell(2).textContent()).toMatch(/^127\.0\.0\.1:\d+.*framewire publish/);
    await until("a count of one", async () => (await page.locator("#publishers-count").textContent()) === "1");
    await row(page, "Streams", "stage/right").getByText("LIVE").waitFor();
    expect(await problems(page), "what axe finds").toEqual([]);

    await live.getByRole("button", { name: "Kick the publisher of stage/right" }).click();
    await page
      .getByRole("dialog", { name: "Kick the publisher of stage/right?" })
      .getByRole("button", { name: "Kick" })
      .click();
    await page.getByText("The publisher of stage/right was ended.").waitFor();
    await page.getByText("Nobody publishes now.").waitFor();
    await page
      .getByRole("log")
      .getByText(/^Publisher left/)
      .first()
      .waitFor();
    await gone;
  });

  it("says that the connection is lost, and goes on by itself", async (stage) => {
    stage.allow(brokenConnection);
    const network = stage.closes(await startNetwork(address));
    const page = await openConsole(stage, network.address);
    await page.getByText("Connected", { exact: true }).waitFor();
    await network.set({ up: { hold: true }, down: { hold: true } });
    await network.cut();
    await page.getByRole("alert").getByText("The connection to the server is lost").waitFor();
    await network.set({});
    await page.getByText("Connected", { exact: true }).waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  it("fits a phone, and can be used there", async (stage) => {
    const player = await stage.embed(address, "demo", "", small);
    await player.plays();
    const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, colorScheme: "dark" } as const;
    const page = await openConsole(stage, address, phone);
    await row(page, "Viewers", "framewire-player")
      .getByRole("button", { name: /^Control/ })
      .tap();
    await control(page, (dialog) => dialog.getByLabel("Mute", { exact: true }).check());
    await page.getByRole("dialog").getByText("Answered: 1 done").waitFor();
    await page.keyboard.press("Escape");
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width, "width of what the page holds").toBeLessThanOrEqual(360);
    expect(await problems(page), "what axe finds").toEqual([]);
  });
});

describe("with tokens", () => {
  it("asks for one, keeps it with the tab and out of the address, and says what is wrong with it", async (stage) => {
    stage.allow(/Failed to load resource/);
    const [secret, config] = [files.path("secret"), files.path("framewire.yaml")];
    writeFileSync(secret, randomBytes(32).toString("hex"));
    writeFileSync(config, `auth:\n  secret_file: ${JSON.stringify(secret)}\n`);
    const server = stage.closes(await serve(["--config", config, "--source", "demo=demo:"]));
    const make = (action: string) =>
      execFileSync(program("framewire"), ["token", "--secret-file", secret, "--actions", action], { encoding: "utf8" });

    const page = await openConsole(stage, server.address);
    const input = page.getByLabel("Token", { exact: true });
    const enter = async (token: string) => {
      await input.fill(token.trim());
      await page.getByRole("button", { name: "Open the console" }).click();
    };
    await input.waitFor();
    expect(await page.getByRole("table", { name: "Streams" }).count(), "tables in sight").toBe(0);
    expect(await problems(page), "what axe finds").toEqual([]);
    await enter("no.token.atall");
    await page.getByRole("alert").waitFor();
    await enter(make("watch"));
    await page.getByRole("alert").getByText(/admin/).waitFor();
    await enter(make("admin"));
    await row(page, "Streams", "demo").waitFor();
    expect(page.url()).toBe(`http://${server.address}/admin`);

    await page.reload();
    await row(page, "Streams", "demo").waitFor();
    await page.getByRole("button", { name: "Forget the token" }).click();
    await input.waitFor();
    expect(await page.evaluate(() => [sessionStorage.length, localStorage.length, document.cookie])).toEqual([
      0,
      0,
      "",
    ]);
  });
});
