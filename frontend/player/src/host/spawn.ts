import type { Millis } from "../units.ts";
import { startedEarly, takeEarly } from "./early.ts";
import { Host } from "./host.ts";
import type { OpenOptions, ToHost, ToPage } from "./messages.ts";
import { stubOf, workerOf } from "./stub.ts";

/** A worker that has not said a word for this long will not: a policy of the page forbids it. */
const patience: Millis = 3_000;

/** A connection to a host, wherever it runs. */
export interface HostLink {
  send(message: ToHost): void;
  close(): void;
}

/** Makes the worker that serve runs in, or throws. */
export type WorkerFactory = () => Worker;

let factory: WorkerFactory | undefined;

/** Says how to make workers; without this, or where it fails, everything runs in the page. */
export function setWorkerFactory(make: WorkerFactory): void {
  factory = make;
}

/**
 * Makes a worker that runs the module at url, also when that is of another
 * origin: a worker cannot be loaded from there, but import from it.
 */
export function moduleWorker(url: string | URL): Worker {
  const { href, origin } = new URL(url);
  if (origin === globalThis.location.origin) return new Worker(href, { type: "module", name: "framewire" });
  return workerOf(stubOf(href));
}

/** Whether MediaSource works in workers here. */
function workersPlay(): boolean {
  const source = (globalThis as { MediaSource?: { canConstructInDedicatedWorker?: boolean } }).MediaSource;
  return source?.canConstructInDedicatedWorker === true && factory !== undefined;
}

/** Starts a host: in a worker where that can be, else in the page. */
export function spawn(receive: (message: ToPage) => void, preferWorker: boolean, options: OpenOptions): HostLink {
  if (preferWorker && workersPlay()) {
    try {
      return new RemoteHost(receive, options);
    } catch {
      // The page's policy forbids workers.
    }
  }
  return new LocalHost(receive, options);
}

/** A host in this thread. */
class LocalHost implements HostLink {
  readonly #host: Host;
  #closed = false;

  constructor(receive: (message: ToPage) => void, options: OpenOptions) {
    // As with a worker, nothing is told from within a call.
    this.#host = new Host(options, (answer) =>
      queueMicrotask(() => {
        if (!this.#closed) receive(answer);
      }),
    );
  }

  send(message: ToHost): void {
    if (message.type !== "open") this.#host.receive(message);
  }

  close(): void {
    this.#closed = true;
    this.#host.close();
  }
}

/** A host in a worker; one in the page takes its place if the worker does not start. */
class RemoteHost implements HostLink {
  readonly #receive: (message: ToPage) => void;
  readonly #options: OpenOptions;
  readonly #worker: Worker;
  readonly #timer: ReturnType<typeof setTimeout>;
  #ready = false;
  /** What was sent to a worker that has not answered yet. */
  #unproven: ToHost[] = [];
  #local: LocalHost | undefined;

  constructor(receive: (message: ToPage) => void, options: OpenOptions) {
    const { worker, said, open } = startWorker(options);
    this.#receive = receive;
    this.#options = options;
    this.#worker = worker;
    worker.onerror = () => this.#fallBack();
    this.#timer = setTimeout(() => this.#fallBack(), patience);
    if (!open) worker.postMessage({ type: "open", options } satisfies ToHost);
    // What it said before is heard before what it says from now on.
    worker.onmessage = ({ data }) => said.push(data);
    queueMicrotask(() => {
      worker.onmessage = this.#closed ? null : ({ data }) => this.#hear(data);
      for (const message of said) this.#hear(message);
    });
  }

  #closed = false;

  send(message: ToHost): void {
    if (this.#local) return this.#local.send(message);
    // A worker that still loads finds it when it has.
    this.#worker.postMessage(message);
    if (!this.#ready) this.#unproven.push(message);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#worker.postMessage({ type: "close" } satisfies ToHost);
    // The socket is closed properly first.
    setTimeout(() => this.#worker.terminate(), this.#ready ? 500 : 0);
    this.#worker.onmessage = null;
    this.#local?.close();
  }

  #hear(message: ToPage | "ready"): void {
    if (this.#closed) return;
    if (!this.#ready) {
      this.#ready = true;
      this.#unproven = [];
      clearTimeout(this.#timer);
    }
    if (message !== "ready") this.#receive(message);
  }

  #fallBack(): void {
    if (this.#ready || this.#local || this.#closed) return;
    clearTimeout(this.#timer);
    this.#worker.onmessage = null;
    this.#worker.terminate();
    this.#local = new LocalHost(this.#receive, this.#options);
    for (const message of this.#unproven) this.#local.send(message);
    this.#unproven = [];
  }
}

/** A worker, what it has said, and whether it was told to open. */
interface Started {
  readonly worker: Worker;
  readonly said: (ToPage | "ready")[];
  readonly open: boolean;
}

let warm: Worker | undefined;

/** Starts a worker for the player that is about to be made, unless the page has done so. */
export function warmUp(): void {
  if (warm || !factory || !workersPlay() || startedEarly()) return;
  try {
    warm = factory();
  } catch {
    // The page's policy forbids workers.
  }
}

function startWorker(options: OpenOptions): Started {
  const early = takeEarly();
  if (early && JSON.stringify(early.options) === JSON.stringify(options)) {
    return { worker: early.worker, said: early.messages.map(({ data }) => data), open: true };
  }
  early?.worker.terminate(); // it plays something else
  const worker = warm ?? factory?.();
  warm = undefined;
  if (!worker) throw new Error("no worker factory is set");
  return { worker, said: [], open: false };
}
