import type { OpenOptions, ToPage } from "./messages.ts";

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

/** Starts the worker of the module at url, and opens a player in it. */
export function startEarly(url: string, options: OpenOptions): void {
  const worker = new Worker(url, { type: "module", name: "framewire" });
  const messages: MessageEvent<ToPage | "ready">[] = [];
  worker.onmessage = (event) => messages.push(event);
  worker.postMessage({ type: "open", options });
  (globalThis as Scope)[early] = { worker, options, messages };
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
