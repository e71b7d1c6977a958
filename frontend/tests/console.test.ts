import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type AdminSession,
  type GetServerResponse,
  GetServerResponseSchema,
  ListSessionsResponseSchema,
} from "@framewire/schema/admin";
import { Degradation } from "@framewire/schema/control";
import type { Locator, Page } from "playwright-core";
import { describe, expect } from "vitest";
import { formatBitrate } from "../site/lib/format.ts";
import { formatBytes, formatMs } from "../site/pages/console/figures.ts";
import { program, serve, startNetwork } from "../stage/programs.js";
import { objections } from "./harness/axe.ts";
import { setting } from "./harness/setting.ts";
import { brokenConnection, type Stage, starts } from "./harness/stage.ts";
import { Tap } from "./harness/tap.ts";
import { until } from "./harness/until.ts";

const here = setting({ serve: ["--source", "demo=demo:", "--source", "other=demo:"] });
const { it } = here;

/** Small pages: decoding is dear, and the console is what is looked at. */
const small = { viewport: { width: 320, height: 180 } };
const patient = { timeout: 45_000 };

const row = (page: Page, table: string, text: string): Locator =>
  page.getByRole("table", { name: table }).getByRole("row").filter({ hasText: text });

async function openConsole(stage: Stage, at = here.address, options: Parameters<Stage["open"]>[1] = {}): Promise<Page> {
  const page = await stage.open(`http://${at}/admin`, { viewport: { width: 1280, height: 900 }, ...options });
  page.setDefaultTimeout(patient.timeout);
  return page;
}

async function control(page: Page, choose: (dialog: Locator) => Promise<void>): Promise<Locator> {
  const dialog = page.getByRole("dialog", { name: "Control players" });
  await choose(dialog);
  await dialog.getByRole("button", { name: "Send" }).click();
  return dialog;
}

/** Cells of the table of viewers. */
const column = { viewer: 0, latency: 2, lag: 3, sent: 4, quality: 5 };

/** A line of a cell: the upper one, or the small one below it. */
async function line(row: Locator, column: number, which: "span" | "small" = "span"): Promise<string> {
  const cell = row.getByRole("cell").nth(column);
  const part = cell.locator(which);
  return (await ((await part.count()) > 0 ? part.first() : cell).textContent()) ?? "";
}

/** What the server answered the console last. */
function answersTo(page: Page) {
  const answers = { sessions: [] as readonly AdminSession[], rate: Number.NaN };
  let before: GetServerResponse | undefined;
  page.on("response", async (response) => {
    const { pathname } = new URL(response.url());
    const bytes = async () => new Uint8Array(await response.body());
    if (pathname.endsWith("/ListSessions"))
      answers.sessions = fromBinary(ListSessionsResponseSchema, await bytes()).sessions;
    if (!pathname.endsWith("/GetServer")) return;
    const server = fromBinary(GetServerResponseSchema, await bytes());
    const [sent, span] = [before?.sentBytes ?? 0n, Number(server.nowUnixUs - (before?.nowUnixUs ?? 0n))];
    answers.rate = (Number(server.sentBytes - sent) * 8e6) / span;
    before = server;
  });
  return answers;
}

const nothing = async (_: Locator) => {};

describe("the console", () => {
  it("shows streams, viewers and events as they are", async (stage) => {
    const player = await stage.embed(here.address, "demo", "", small);
    await player.plays();
    const page = await openConsole(stage);
    await row(page, "Viewers", "framewire-player").getByText("Playing").waitFor();
    const stream = row(page, "Streams", "demo:").filter({ has: page.getByRole("link", { name: "demo", exact: true }) });
    await stream.getByText("LIVE").waitFor();
    await until("a viewer that is counted", async () => (await stream.getByRole("cell").nth(2).textContent()) === "1");
    await page.getByRole("log").getByText("Viewer came: framewire-player").first().waitFor();
    expect(await page.locator("#connection").textContent()).toBe("Connected");
    expect(await objections(page), "what axe finds").toEqual([]);
  });

  it("tells of a viewer what its player and the server tell of it", async (stage) => {
    const tap = stage.closes(await Tap.to(here.address));
    const player = await stage.embed(tap.address, "demo", "?muted=0", small);
    await player.plays();
    const page = await openConsole(stage);
    const answers = answersTo(page);
    const viewer = row(page, "Viewers", "framewire-player");
    const told = await until("the player's figures in the table", async () => {
      const [session] = answers.sessions;
      const { latencyMs = 0, targetMs = 0 } = session?.report ?? {};
      const same = latencyMs > 0 && (await line(viewer, column.latency)) === formatMs(latencyMs);
      return same && (await line(viewer, column.latency, "small")) === `aims at ${formatMs(targetMs)}` && session;
    });
    const { latencyMs = 0, targetMs = 0 } = told.report ?? {};
    // The server gives them with fewer digits.
    const same = (sent: number, shown: number) => Math.abs(sent - shown) < 0.01;
    const reported = tap.sent("playbackReport");
    expect(reported.some((report) => same(report.latencyMs, latencyMs) && same(report.targetMs, targetMs))).toBe(true);
    expect(told.sessionId).toBe((await player.stats())?.sessionId);
    const [hello] = tap.sent("hello");
    expect(await line(viewer, column.viewer, "small")).toBe(`${hello?.clientName} ${hello?.clientVersion}`);
    expect(await line(viewer, column.lag)).toMatch(/^\d+ ms$/);
    expect(await line(viewer, column.quality)).toBe("Full");

    const now = async (chart: string, value: string) =>
      (await page.getByRole("img", { name: `Chart of ${chart}.` }).getAttribute("aria-label"))?.includes(value);
    await until("one viewer in the chart", () => now("viewers", "Viewers: now 1,"));
    await until("the latency of its player in the chart", async () => {
      const latency = formatMs(answers.sessions[0]?.report?.latencyMs ?? 0);
      return (await Promise.all(["p50", "p95", "p99"].map((p) => now("latency", `${p}: now ${latency},`)))).every(
        Boolean,
      );
    });
    await until("the bandwidth of the stream in the chart", async () => {
      const [rate, bitrate] = [answers.rate, (await player.stats())?.bitrate ?? 0];
      const near = rate > 0.6 * bitrate && rate < 1.6 * bitrate;
      return near && (await now("bandwidth", `Bandwidth: now ${formatBitrate(rate)},`));
    });

    // What is sent stands still then.
    await player.do((element) => element.pause());
    await viewer.getByText("Paused").waitFor();
    await tap.settled();
    const passed = tap.media("video") + tap.media("audio");
    await until("the bytes that passed", async () => {
      const sent = Number(answers.sessions[0]?.sentBytes ?? 0);
      return Math.abs(sent / passed - 1) < 0.05 && (await line(viewer, column.sent)) === formatBytes(sent);
    });
  });

  it("tells who falls behind, and on which step of the ladder it is", async (stage) => {
    const profile = { down: { rate_bytes_per_second: 25_000, queue_bytes: 8_192 } };
    const network = stage.closes(await startNetwork(here.address, profile));
    const url = `ws://${network.address}/ws?stream=demo`;
    starts(stage, ["bench", "viewers", "-q", "-n", "1", "-d", "2m", url]);
    const page = await openConsole(stage);
    const answers = answersTo(page);
    const viewer = row(page, "Viewers", "framewire bench");
    const words = { [Degradation.KEYFRAMES_ONLY]: "Keyframes only", [Degradation.AUDIO_ONLY]: "Sound only" };
    await until("what the server holds of the slow viewer", async () => {
      const [session] = answers.sessions;
      const step = words[session?.state?.degradation as keyof typeof words];
      const shown = await Promise.all([line(viewer, column.lag), line(viewer, column.quality)]);
      return session && session.lagMs > 0 && shown[0] === formatMs(session.lagMs) && shown[1] === step;
    });
    expect(await viewer.locator(".step[data-warn]").count()).toBe(1);
    await page
      .getByRole("log")
      .getByText(/taken too slowly/)
      .first()
      .waitFor();
  });

  it("each directive has its effect at the player, and the player's answer is shown", async (stage) => {
    const player = await stage.embed(here.address, "demo", "?muted=0", small);
    await player.plays();
    const page = await openConsole(stage);
    await row(page, "Viewers", "framewire-player")
      .getByRole("button", { name: /^Control/ })
      .click();
    const direct = async (
      label: string,
      effect: Parameters<typeof player.do<boolean, undefined>>[0],
      fill = nothing,
    ) => {
      const dialog = await control(page, async (dialog) => {
        await dialog.getByLabel(label, { exact: true }).and(dialog.getByRole("radio")).check();
        await fill(dialog);
      });
      await until(`${label} at the player`, () => player.do(effect));
      await dialog.getByText("Answered: 1 done").waitFor();
      expect(await dialog.getByRole("listitem").textContent()).toContain("Done");
    };
    await direct("Pause", (element) => element.paused);
    await player.reaches("paused");
    await direct("Play", (element) => !element.paused);
    await player.plays();
    await direct("Mute", (element) => element.muted);
    await direct("Unmute", (element) => !element.muted);
    await direct(
      "Volume",
      (element) => element.volume === 0.25,
      (dialog) => dialog.getByRole("slider").fill("25"),
    );
    await until("a past to seek to", () =>
      player.do(({ seekable }) => seekable.length > 0 && seekable.end(0) - seekable.start(0) > 3),
    );
    await player.do((element) => {
      element.currentTime = element.seekable.end(0) - 2.5;
    });
    await until("behind live", () => player.do((element) => !element.isLive));
    await direct("Go live", (element) => element.isLive);
    await direct(
      "Show a notice",
      (element) => /Back in <b>five<\/b> minutes/.test(element.shadowRoot?.textContent ?? ""),
      (dialog) => dialog.getByRole("textbox", { name: "Notice" }).fill("Back in <b>five</b> minutes"),
    );
    await direct(
      "Switch stream",
      (element) => element.stats?.stream === "other",
      async (dialog) => void (await dialog.getByRole("combobox", { name: "Stream" }).selectOption("other")),
    );
    await row(page, "Viewers", "other").waitFor();
    expect(await objections(page), "what axe finds in the dialog").toEqual([]);
  });

  it("viewers of a stream answer each for itself, and so do all of the server", async (stage) => {
    const players = await Promise.all([1, 2].map(() => stage.embed(here.address, "demo", "?muted=0", small)));
    const another = await stage.embed(here.address, "other", "?muted=0", small);
    for (const player of [...players, another]) await player.plays();
    const page = await openConsole(stage);
    await row(page, "Viewers", "framewire-player").nth(2).waitFor();
    await page.getByRole("button", { name: "Control all" }).click();
    const dialog = await control(page, async (dialog) => {
      await dialog.getByLabel("To").selectOption({ label: "All viewers of demo" });
      await dialog.getByLabel("Pause").check();
    });
    await dialog.getByText("Answered: 2 done").waitFor();
    expect(await dialog.getByRole("listitem").count()).toBe(2);
    for (const player of players) await player.reaches("paused");
    await another.plays();

    await control(page, async (dialog) => {
      await dialog.getByLabel("To").selectOption({ label: "All viewers of this server" });
      await dialog.getByLabel("Mute", { exact: true }).check();
    });
    await dialog.getByText("Answered: 3 done").waitFor();
    for (const player of [...players, another]) await until("no sound", () => player.do(({ muted }) => muted));
  });

  it("who is kicked reads the reason that the operator typed", async (stage) => {
    const player = await stage.embed(here.address, "demo", "", small);
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
    const url = `ws://${here.address}/ws`;
    const gone = once(starts(stage, ["publish", "-q", "--url", url, "--stream", "stage/right", "demo:"]), "exit");
    const page = await openConsole(stage);
    const live = row(page, "Publishers", "stage/right");
    const cell = (n: number) => live.getByRole("cell").nth(n);
    await live.getByText("WS", { exact: true }).waitFor();
    await until("bytes that are counted", async () => /\d [kM]B/.test((await cell(3).textContent()) ?? ""));
    expect(await cell(2).textContent()).toMatch(/^127\.0\.0\.1:\d+.*framewire publish/);
    await until("a count of one", async () => (await page.locator("#publishers-count").textContent()) === "1");
    await row(page, "Streams", "stage/right").getByText("LIVE").waitFor();
    expect(await objections(page), "what axe finds").toEqual([]);

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
    const network = stage.closes(await startNetwork(here.address));
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
    const player = await stage.embed(here.address, "demo", "", small);
    await player.plays();
    const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, colorScheme: "dark" } as const;
    const page = await openConsole(stage, here.address, phone);
    await row(page, "Viewers", "framewire-player")
      .getByRole("button", { name: /^Control/ })
      .tap();
    await control(page, (dialog) => dialog.getByLabel("Mute", { exact: true }).check());
    await page.getByRole("dialog").getByText("Answered: 1 done").waitFor();
    await page.keyboard.press("Escape");
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width, "width of what the page holds").toBeLessThanOrEqual(360);
    expect(await objections(page), "what axe finds").toEqual([]);
  });
});

describe("with tokens", () => {
  it("asks for one, keeps it with the tab and out of the address, and says what is wrong with it", async (stage) => {
    stage.allow(/Failed to load resource/);
    const [secret, config] = [here.files.path("secret"), here.files.path("framewire.yaml")];
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
    expect(await objections(page), "what axe finds").toEqual([]);
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
