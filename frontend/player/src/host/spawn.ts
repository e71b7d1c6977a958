import type { Millis } from "../units.ts";
import { Host } from "./host.ts";
import type { ToHost, ToPage } from "./messages.ts";
import { earlyMessages } from "./worker.ts";

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
  const source = URL.createObjectURL(new Blob([stub(href)], { type: "text/javascript" }));
  try {
    return new Worker(source, { type: "module", name: "framewire" });
  } finally {
    // The fetch of the worker has begun with the constructor.
    setTimeout(() => URL.revokeObjectURL(source), patience);
  }
}

/**
 * A worker that imports a module. Not by an import declaration: those of a
 * worker fall under worker-src, where few policies name other origins. What is
 * sent before the module has come is kept for serve.
 */
function stub(href: string): string {
  return `self.${earlyMessages} = [];
onmessage = (event) => self.${earlyMessages}.push(event);
import(${JSON.stringify(href)}).catch((error) => setTimeout(() => { throw error; }));`;
}

/** Whether MediaSource works in workers here. */
function workersPlay(): boolean {
  const source = (globalThis as { MediaSource?: { canConstructInDedicatedWorker?: boolean } }).MediaSource;
  return source?.canConstructInDedicatedWorker === true && factory !== undefined;
}

/** Starts a host: in a worker where that can be, else in the page. */
export function spawn(receive: (message: ToPage) => void, preferWorker: boolean): HostLink {
  if (preferWorker && workersPlay()) {
    try {
      return new RemoteHost(receive);
    } catch {
      // The page's policy forbids workers.
    }
  }
  return new LocalHost(receive);
}

/** A host in this thread. */
class LocalHost implements HostLink {
  readonly #receive: (message: ToPage) => void;
  #host: Host | undefined;
  #closed = false;

  constructor(receive: (message: ToPage) => void) {
    this.#receive = receive;
  }

  send(message: ToHost): void {
    if (message.type !== "open") {
      this.#host?.receive(message);
      return;
    }
    this.#host?.close();
    // As with a worker, nothing is told from within a call.
    this.#host = new Host(message.options, (answer) =>
      queueMicrotask(() => {
        if (!this.#closed) this.#receive(answer);
      }),
    );
  }

  close(): void {
    this.#closed = true;
    this.#host?.close();
  }
}

/** A host in a worker; one in the page takes its place if the worker does not start. */
class RemoteHost implements HostLink {
  readonly #receive: (message: ToPage) => void;
  readonly #worker: Worker;
  readonly #timer: ReturnType<typeof setTimeout>;
  #ready: boolean;
  /** What was sent to a worker that has not answered yet. */
  #unproven: ToHost[] = [];
  #local: LocalHost | undefined;

  constructor(receive: (message: ToPage) => void) {
    const { worker, ready } = takeWarm() ?? startWorker();
    this.#receive = receive;
    this.#worker = worker;
    this.#ready = ready;
    worker.onmessage = ({ data }: MessageEvent<ToPage | "ready">) => {
      if (data !== "ready") this.#receive(data);
      this.#proven();
    };
    worker.onerror = () => this.#fallBack();
    this.#timer = setTimeout(() => this.#fallBack(), patience);
    if (ready) this.#proven();
  }

  send(message: ToHost): void {
    if (this.#local) return this.#local.send(message);
    // A worker that still loads finds it when it has.
    this.#worker.postMessage(message);
    if (!this.#ready) this.#unproven.push(message);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#worker.postMessage({ type: "close" } satisfies ToHost);
    // The socket is closed properly first.
    setTimeout(() => this.#worker.terminate(), this.#ready ? 500 : 0);
    this.#worker.onmessage = null;
    this.#local?.close();
  }

  #proven(): void {
    this.#ready = true;
    this.#unproven = [];
    clearTimeout(this.#timer);
  }

  #fallBack(): void {
    if (this.#ready || this.#local) return;
    clearTimeout(this.#timer);
    this.#worker.onmessage = null;
    this.#worker.terminate();
    this.#local = new LocalHost(this.#receive);
    for (const message of this.#unproven) this.#local.send(message);
    this.#unproven = [];
  }
}

interface Started {
  readonly worker: Worker;
  ready: boolean;
}

let warm: Started | undefined;

/** Starts a worker for the player that is about to be made. */
export function warmUp(): void {
  if (!workersPlay() || warm) return;
  try {
    const started = startWorker();
    started.worker.onmessage = () => {
      started.ready = true;
    };
    warm = started;
  } catch {
    // The page's policy forbids workers.
  }
}

function takeWarm(): Started | undefined {
  const taken = warm;
  warm = undefined;
  return taken;
}

function startWorker(): Started {
  if (!factory) throw new Error("no worker factory is set");
  return { worker: factory(), ready: false };
}
