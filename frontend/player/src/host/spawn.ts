import type { Millis } from "../units.ts";
import type { Host } from "./host.ts";
import type { OpenOptions, ToHost, ToPage } from "./messages.ts";
import { type StartedWorker, stubOf, workerOf } from "./stub.ts";

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

/**
 * Starts a host: in a worker where that can be, else in the page.
 *
 * @param begun a worker that was told the same before
 */
export function spawn(
  receive: (message: ToPage) => void,
  preferWorker: boolean,
  options: OpenOptions,
  begun?: StartedWorker,
): HostLink {
  if (preferWorker && workersPlay()) {
    try {
      return new RemoteHost(receive, options, begun ?? startWorker(options));
    } catch {
      // The page's policy forbids workers.
    }
  }
  return new LocalHost(receive, options);
}

/** A host in this thread. Its code is loaded when it is needed, which few browsers do. */
class LocalHost implements HostLink {
  readonly #receive: (message: ToPage) => void;
  #host: Host | undefined;
  /** What was sent before there was a host. */
  #early: ToHost[] = [];
  #closed = false;

  constructor(receive: (message: ToPage) => void, options: OpenOptions) {
    this.#receive = receive;
    void import("./host.ts").then(
      (module) => this.#start(module, options),
      (error: Error) => this.#tell({ type: "failed", reason: "not_loaded", message: error.message }),
    );
  }

  send(message: ToHost): void {
    if (!this.#host) this.#early.push(message);
    else if (message.type !== "open") this.#host.receive(message);
  }

  close(): void {
    this.#closed = true;
    this.#host?.close();
  }

  #start({ Host }: typeof import("./host.ts"), options: OpenOptions): void {
    if (this.#closed) return;
    // As with a worker, nothing is told from within a call.
    this.#host = new Host(options, (answer) => queueMicrotask(() => this.#tell(answer)));
    for (const message of this.#early) this.send(message);
    this.#early = [];
  }

  #tell(message: ToPage): void {
    if (!this.#closed) this.#receive(message);
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

  constructor(receive: (message: ToPage) => void, options: OpenOptions, { worker, said, failed }: StartedWorker) {
    this.#receive = receive;
    this.#options = options;
    this.#worker = worker;
    worker.onerror = () => this.#fallBack();
    this.#timer = setTimeout(() => this.#fallBack(), patience);
    worker.onmessage = ({ data }) => this.#hear(data);
    // Nothing is told from within a call. No message can come before this.
    queueMicrotask(() => {
      for (const message of said) this.#hear(message);
      if (failed) this.#fallBack();
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

let warm: Worker | undefined;

/** Starts a worker for the player that is about to be made. */
export function warmUp(): void {
  if (warm || !factory || !workersPlay()) return;
  try {
    warm = factory();
  } catch {
    // The page's policy forbids workers.
  }
}

function startWorker(options: OpenOptions): StartedWorker {
  const worker = warm ?? factory?.();
  warm = undefined;
  if (!worker) throw new Error("no worker factory is set");
  worker.postMessage({ type: "open", options } satisfies ToHost);
  return { worker, said: [], failed: false };
}
