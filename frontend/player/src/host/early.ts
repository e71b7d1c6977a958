import { subprotocol } from "../client/subprotocol.ts";
import type { OpenOptions, ToPage } from "./messages.ts";
import { earlySocket, stubOf, workerOf } from "./stub.ts";

/**
 * A player's worker that a page started before the player's own script came,
 * and what it was opened with. A page leaves it under the name of early in its
 * global scope. The first player that would open the same takes it over.
 */
export interface EarlyStart {
  readonly worker: Worker;
  readonly options: OpenOptions;
  /** What the worker has said. Whoever takes over hears it first. */
  readonly messages: MessageEvent<ToPage | "ready">[];
}

const early = "framewireEarlyStart";

type Scope = { [early]?: EarlyStart };

/**
 * Starts a worker that connects at once, and then becomes a player by the
 * module at url, which has to be absolute.
 */
export function startEarly(url: string, options: OpenOptions): void {
  const worker = workerOf(connecting(url, options.url));
  const messages: MessageEvent<ToPage | "ready">[] = [];
  worker.onmessage = (event) => messages.push(event);
  worker.postMessage({ type: "open", options });
  (globalThis as Scope)[early] = { worker, options, messages };
}

/**
 * The text of a worker that opens a socket before it loads its module. What the
 * page says meanwhile is kept for it.
 */
function connecting(module: string, socket: string): string {
  return `${stubOf(module)}
self.${earlySocket} = new WebSocket(${JSON.stringify(socket)}, ["${subprotocol}"]);`;
}

/** Whether a page has started one that nobody has taken. */
export function startedEarly(): boolean {
  return early in globalThis;
}

/** Takes what was started, once. */
export function takeEarly(): EarlyStart | undefined {
  const scope = globalThis as Scope;
  const taken = scope[early];
  delete scope[early];
  return taken;
}
