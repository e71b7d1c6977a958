import { subprotocol } from "../client/subprotocol.ts";
import type { OpenOptions, ToHost, ToPage } from "../host/messages.ts";
import { earlySocket, type StartedWorker, stubOf, workerOf } from "../host/stub.ts";
import { Screen } from "./screen.ts";

/**
 * A player's worker, and its screen, that a page started before the player's own
 * script came, and what they were opened with. A page leaves it under the name of
 * early in its global scope; the first player that would open the same in the
 * same video element takes it over.
 */
export interface EarlyStart extends StartedWorker {
  readonly options: OpenOptions;
  /** What shows the pictures, once there was a video element to show them in. */
  screen: Screen | undefined;
  /** The browser paused by itself: a media key was pressed. */
  paused: boolean;
}

const early = "framewireEarlyStart";

/** What the next of its kind makes void: nobody needs to have heard it. */
const toldAgain: ReadonlySet<ToPage["type"]> = new Set(["stats", "range"]);

type Scope = { [early]?: EarlyStart };

/**
 * Starts a worker that connects at once, and then becomes a player by the
 * module at url, which has to be absolute. Its media is shown as soon as find
 * finds a video element.
 */
export function startEarly(url: string, options: OpenOptions, find: () => HTMLVideoElement | undefined): void {
  const worker = workerOf(connecting(url, options.url));
  const start: EarlyStart = { worker, options, said: [], failed: false, screen: undefined, paused: false };
  const heard = (message: ToPage | "ready") => {
    if (message === "ready" || !(start.screen?.obey(message) || toldAgain.has(message.type))) start.said.push(message);
  };
  const look = () => {
    start.screen ??= screenOf(find(), start);
    if (start.screen) start.said.splice(0).forEach(heard);
  };
  worker.onmessage = ({ data }: MessageEvent<ToPage | "ready">) => {
    if (!start.screen) look();
    heard(data);
  };
  worker.onerror = () => {
    start.failed = true;
  };
  document.addEventListener("DOMContentLoaded", look, { once: true });
  worker.postMessage({ type: "open", options } satisfies ToHost);
  (globalThis as Scope)[early] = start;
}

function screenOf(video: HTMLVideoElement | undefined, start: EarlyStart): Screen | undefined {
  if (!video) return undefined;
  const { worker, options } = start;
  const { settings } = options;
  const screen = new Screen(video, {
    send: (message) => worker.postMessage(message),
    allowed: () => {}, // whoever takes it over asks again
    paused: () => {
      start.paused = true;
    },
  });
  screen.setSound(settings.volume, settings.muted);
  screen.want(true);
  return screen;
}

/**
 * The text of a worker that opens a socket before it loads its module. What the
 * page says meanwhile is kept for it.
 */
function connecting(module: string, socket: string): string {
  return `${stubOf(module)}
self.${earlySocket} = new WebSocket(${JSON.stringify(socket)}, ["${subprotocol}"]);`;
}

/** What a page has started, and nobody has taken. */
export function startedEarly(): EarlyStart | undefined {
  return (globalThis as Scope)[early];
}

/** Takes what was started, if it is what this video element is to show; otherwise ends it. */
export function takeEarly(video: HTMLVideoElement, options: OpenOptions): EarlyStart | undefined {
  const start = startedEarly();
  if (!start) return undefined;
  delete (globalThis as Scope)[early];
  const fits = JSON.stringify(start.options) === JSON.stringify(options);
  if (fits && (start.screen?.video ?? video) === video) return start;
  start.worker.terminate();
  start.screen?.close();
  return undefined;
}
