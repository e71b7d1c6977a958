import type { Browser } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { serve, startBrowser, stopAll } from "../../stage/programs.js";
import { type Temporary, temporary } from "./ffmpeg.ts";
import { Site } from "./site.ts";
import { holds, type Stage } from "./stage.ts";

type Server = Awaited<ReturnType<typeof serve>>;

/** What the tests of a file need, besides what all of them have. */
export interface Needs {
  /** Arguments of `framewire serve`; what makes them may make the files that they name first. */
  readonly serve?: readonly string[] | ((files: Temporary) => Promise<readonly string[]>);
  readonly browser?: Parameters<typeof startBrowser>[0];
}

/** What the tests of a file share. All but files is there once they run. */
export interface Setting {
  readonly server: Server;
  /** The server's host and port. */
  readonly address: string;
  readonly browser: Browser;
  /** A web site of somebody else. */
  readonly site: Site;
  /** A folder that is gone after the tests. */
  readonly files: Temporary;
  /** A test with pages of the browser. */
  it(name: string, body: (stage: Stage) => Promise<void>): void;
}

/** Has a server, a browser and a site started before the tests of the file that calls it, and ended after them. */
export function setting({ serve: args = [], browser: options }: Needs = {}): Setting {
  const files = temporary();
  let server: Server | undefined;
  let browser: Browser | undefined;
  let site: Site | undefined;
  beforeAll(async () => {
    const served = async () => serve(typeof args === "function" ? await args(files) : args);
    [server, browser, site] = await Promise.all([served(), startBrowser(options), Site.start()]);
  });
  afterAll(async () => {
    await Promise.all([browser?.close(), site?.close()]);
    await stopAll();
    files.remove();
  });
  return {
    files,
    get server() {
      return there(server);
    },
    get address() {
      return there(server).address;
    },
    get browser() {
      return there(browser);
    },
    get site() {
      return there(site);
    },
    it: (name, body) => holds(name, () => there(browser), body),
  };
}

function there<T>(part: T | undefined): T {
  if (part === undefined) throw new Error("it is there only while tests run");
  return part;
}
