// What the console knows of the server: asked for again and again, and the
// events as they come.

import type {
  AdminPublisher,
  AdminSession,
  AdminStream,
  GetServerResponse,
  Event as ServerEvent,
} from "@framewire/schema/admin";
import { type Api, CALL_TIMEOUT_MS, type Trouble, troubleOf } from "./api.ts";

/** How often the server is asked, in milliseconds; events that change the lists bring it forward. */
const POLL_MS = 2_000;
/** Events come in bursts: the lists are asked for this long after the first, in milliseconds. */
const POKE_MS = 250;
/** More sessions than this are counted and not listed, or each answer would be megabytes. */
export const MAX_SESSIONS = 2_000;
const PAGE_SIZE = 1_000;
/** Events of the past that the log begins with. */
const RECENT_EVENTS = 300;
/** Waits between attempts to watch events, in milliseconds. */
const RETRY_MS = { first: 1_000, most: 15_000 };

/** The server at one moment. */
export interface Snapshot {
  /** When the answers were there, in milliseconds of this page's clock. */
  readonly at: number;
  readonly server: GetServerResponse;
  readonly streams: readonly AdminStream[];
  /** At most MAX_SESSIONS, the oldest first. */
  readonly sessions: readonly AdminSession[];
  readonly publishers: readonly AdminPublisher[];
}

export type Standing = { readonly kind: "connecting" } | { readonly kind: "open" } | Trouble;

export interface FeedListener {
  snapshot(snapshot: Snapshot): void;
  standing(standing: Standing): void;
  event(event: ServerEvent): void;
  /** So many events were lost before the next one. */
  missed(count: bigint): void;
}

/** Asks until it is stopped; stands still while a token is needed, or the service is closed. */
export class Feed {
  readonly #api: Api;
  readonly #listener: FeedListener;
  #run = new AbortController();
  #wake: ((delay: number) => void) | undefined;
  #watching = false;
  /** The newest event that was shown, in Unix microseconds of the server. */
  #newest = 0n;

  constructor(api: Api, listener: FeedListener) {
    this.#api = api;
    this.#listener = listener;
  }

  /** Begins, or begins anew: after a token was given. */
  start(): void {
    this.#run.abort();
    this.#run = new AbortController();
    this.#watching = false;
    this.#listener.standing({ kind: "connecting" });
    void this.#poll(this.#run.signal);
  }

  /** Asks soon: something was done that changes the lists. */
  poke(): void {
    this.#wake?.(POKE_MS);
  }

  async #poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const snapshot = await read(this.#api, signal);
        if (signal.aborted) return;
        this.#listener.standing({ kind: "open" });
        this.#listener.snapshot(snapshot);
        if (!this.#watching) void this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        const trouble = troubleOf(error);
        this.#listener.standing(trouble);
        if (trouble.kind !== "lost") return this.#run.abort();
      }
      await this.#rest();
    }
  }

  /** Waits until it is time to ask again. */
  #rest(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#wake = undefined;
        resolve();
      };
      let timer = setTimeout(done, POLL_MS);
      this.#wake = (delay) => {
        this.#wake = undefined; // the first poke counts
        clearTimeout(timer);
        timer = setTimeout(done, delay);
      };
    });
  }

  async #watch(signal: AbortSignal): Promise<void> {
    this.#watching = true;
    let wait = RETRY_MS.first;
    while (!signal.aborted) {
      try {
        for await (const { event, missed } of this.#api.watchEvents({ recent: RECENT_EVENTS }, { signal })) {
          wait = RETRY_MS.first;
          if (missed > 0n) this.#listener.missed(missed);
          if (event) this.#take(event);
        }
      } catch {
        // The polls say how the server stands; the watch only comes back.
      }
      if (signal.aborted) return;
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(wait * 2, RETRY_MS.most);
    }
  }

  /** Shows an event, unless a watch before this one has. */
  #take(event: ServerEvent): void {
    if (event.atUnixUs <= this.#newest) return;
    this.#newest = event.atUnixUs;
    this.#listener.event(event);
    this.poke();
  }
}

async function read(api: Api, signal: AbortSignal): Promise<Snapshot> {
  const options = { signal, timeoutMs: CALL_TIMEOUT_MS };
  const [server, { streams }, { publishers }, sessions] = await Promise.all([
    api.getServer({}, options),
    api.listStreams({}, options),
    api.listPublishers({}, options),
    readSessions(api, options),
  ]);
  return { at: Date.now(), server, streams, sessions, publishers };
}

async function readSessions(api: Api, options: { signal: AbortSignal; timeoutMs: number }): Promise<AdminSession[]> {
  const all: AdminSession[] = [];
  let pageToken = "";
  do {
    const page = await api.listSessions({ pageSize: PAGE_SIZE, pageToken }, options);
    all.push(...page.sessions);
    pageToken = page.nextPageToken;
  } while (pageToken && all.length < MAX_SESSIONS);
  return all;
}
