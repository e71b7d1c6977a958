import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { test } from "vitest";
import { program, root } from "../../stage/programs.js";
import { Player, record } from "./player.ts";

const results = join(root, "frontend", "test-results");

/** Pixels are drawn without a graphics processor here. */
const smallScreen = { width: 640, height: 400 };

/** Noise that every broken connection makes in the console. */
export const brokenConnection = /WebSocket connection to .* failed|net::ERR_|Failed to load resource/;

/** The pages of one test: keeps what goes wrong in them, and closes them. */
export class Stage {
  readonly #browser: Browser;
  readonly #pages: Page[] = [];
  readonly #closers: (() => Promise<unknown>)[] = [];
  readonly #allowed: RegExp[] = [];
  readonly #errors: string[] = [];

  constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Opens a page in a context of its own. */
  async open(url: string, options: BrowserContextOptions & { init?: () => void } = {}): Promise<Page> {
    const { init, ...context } = options;
    const page = await this.#browser.newPage({ viewport: smallScreen, ...context });
    this.#pages.push(page);
    page.on("console", (message) => {
      if (message.type() === "error") this.#errors.push(`${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => this.#errors.push(String(error.stack ?? error)));
    await page.addInitScript(record);
    if (init) await page.addInitScript(init);
    await page.goto(url, { waitUntil: "domcontentloaded" });
    return page;
  }

  /** Opens the player alone. */
  async embed(
    address: string,
    stream: string,
    query = "",
    options: Parameters<Stage["open"]>[1] = {},
  ): Promise<Player> {
    return new Player(await this.open(`http://${address}/embed/${stream}${query}`, options));
  }

  /** Errors in the console that this test brings about. */
  allow(error: RegExp): void {
    this.#allowed.push(error);
  }

  /** Has something closed with the test. */
  closes<T extends { close?(): Promise<unknown>; stop?(): Promise<unknown> }>(resource: T): T {
    this.#closers.push(async () => await (resource.close?.() ?? resource.stop?.()));
    return resource;
  }

  get unexpected(): readonly string[] {
    return this.#errors.filter((error) => !this.#allowed.some((allowed) => allowed.test(error)));
  }

  async screenshots(name: string): Promise<void> {
    mkdirSync(results, { recursive: true });
    const file = name.replaceAll(/[^a-z0-9]+/gi, "-").slice(0, 100);
    for (const [i, page] of this.#pages.entries()) {
      await page.screenshot({ path: join(results, `${file}-${i}.png`), timeout: 10_000 }).catch(() => {}); // it may be gone
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#pages.map((page) => page.context().close()));
    for (const close of this.#closers.reverse()) await close();
  }
}

/** Starts framewire with these arguments; it is ended with the test. */
export function starts(stage: Stage, args: readonly string[]): ChildProcess {
  const child = spawn(program("framewire"), args, { stdio: "ignore" });
  const gone = once(child, "exit");
  stage.closes({
    async close() {
      child.kill("SIGKILL");
      await gone;
    },
  });
  return child;
}

/**
 * A test with pages: its name says what must hold. It fails on errors in a
 * page's console as well, and leaves screenshots of a failure in test-results.
 */
export function holds(name: string, browser: () => Browser, body: (stage: Stage) => Promise<void>): void {
  test(name, async () => {
    const stage = new Stage(browser());
    try {
      await body(stage);
      if (stage.unexpected.length > 0) throw new Error(`errors in the page:\n${stage.unexpected.join("\n")}`);
    } catch (error) {
      await stage.screenshots(name);
      throw error;
    } finally {
      await stage.close();
    }
  });
}
