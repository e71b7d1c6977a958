import type { Millis } from "../units.ts";
import type { ToPage } from "./messages.ts";

/** Long enough for the fetch of a worker, which begins with its constructor. */
const fetched: Millis = 3_000;

/** The global variable in which a worker keeps messages that come before it can serve. */
export const earlyMessages = "framewireEarly";
/** The one in which it keeps a socket that was begun before. */
export const earlySocket = "framewireSocket";

/**
 * The text of a worker that imports a module. Not by an import declaration: those
 * of a worker fall under worker-src, where few policies name other origins. What
 * is sent before the module has come is kept for serve.
 */
export function stubOf(module: string): string {
  return `self.${earlyMessages} = [];
onmessage = (event) => self.${earlyMessages}.push(event);
import(${JSON.stringify(module)}).catch((error) => setTimeout(() => { throw error; }));`;
}

/** A worker that was told to open, and what it has said since. */
export interface StartedWorker {
  readonly worker: Worker;
  said: (ToPage | "ready")[];
  /** It could not be started, or broke. */
  failed: boolean;
}

/** Starts a worker that runs a text. */
export function workerOf(text: string): Worker {
  const source = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return new Worker(source, { type: "module", name: "framewire" });
  } finally {
    setTimeout(() => URL.revokeObjectURL(source), fetched);
  }
}
