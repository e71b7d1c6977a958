import type { FramewirePlayerElement, PlayerStatus, Recovery, Stats } from "@framewire/player";
import type { Frame, Page } from "playwright-core";
import { until } from "./until.ts";

/** An event of a player, as record kept it. */
export interface Seen {
  readonly type: string;
  readonly at: number;
  readonly detail?: unknown;
}

declare global {
  interface Window {
    /** Events of all players of the page, oldest first. */
    seen: Seen[];
  }
}

/** Runs in the page before anything else: keeps the events of its players. */
export function record(): void {
  window.seen = [];
  const types = [
    ...["statuschange", "recovery", "gap", "notice", "trackschange", "commanderror", "streamtypechange"],
    ...[
      "play",
      "pause",
      "playing",
      "waiting",
      "volumechange",
      "seeking",
      "seeked",
      "ended",
      "emptied",
      "error",
      "resize",
    ],
  ];
  for (const type of types) {
    const listener = (event: Event) => {
      if (!(event.target instanceof HTMLElement) || !event.target.localName.startsWith("framewire-")) return;
      const { detail } = event as CustomEvent<unknown>;
      const kept = detail instanceof Error ? { ...detail, message: detail.message } : detail;
      window.seen.push({ type, at: performance.now(), ...(kept !== undefined && { detail: structuredClone(kept) }) });
    };
    document.addEventListener(type, listener, true);
  }
}

/** A player on a page, by what a script of the page can see of it. */
export class Player {
  readonly page: Page | Frame;
  readonly #selector: string;

  constructor(page: Page | Frame, selector = "framewire-player") {
    this.page = page;
    this.#selector = selector;
  }

  /** Does something with the element, in the page. */
  do<T, A>(action: (player: FramewirePlayerElement, argument: A) => T, argument?: A): Promise<Awaited<T>> {
    const evaluate = action as (player: HTMLElement | SVGElement, argument: unknown) => T;
    return this.page.locator(this.#selector).evaluate(evaluate, argument) as Promise<Awaited<T>>;
  }

  status(): Promise<PlayerStatus> {
    return this.do((player) => player.status);
  }

  stats(): Promise<Stats | undefined> {
    return this.do((player) => player.stats);
  }

  /** The events seen so far, of one type if given. */
  async seen(type?: string): Promise<Seen[]> {
    const seen = await this.page.evaluate(() => window.seen);
    return type ? seen.filter((event) => event.type === type) : seen;
  }

  async recoveries(action?: Recovery["action"]): Promise<Recovery[]> {
    const all = (await this.seen("recovery")).map(({ detail }) => detail as Recovery);
    return action ? all.filter((recovery) => recovery.action === action) : all;
  }

  /** Waits for a status. */
  async reaches(kind: PlayerStatus["kind"]): Promise<PlayerStatus> {
    return this.#waiting(`status ${kind}`, async () => {
      // Until its script has come the element has no status.
      const status: PlayerStatus | undefined = await this.status();
      return status?.kind === kind && status;
    });
  }

  /** Waits until pictures are decoded and time goes on: several more frames than there are now. */
  async plays(frames = 10): Promise<void> {
    await this.reaches("playing");
    const before = await this.#progress();
    await this.#waiting("frames that follow each other", async () => {
      const after = await this.#progress();
      const anew = after.decoded < before.decoded; // another MediaSource counts from 0
      return (anew ? after.decoded : after.decoded - before.decoded) >= frames && after.time !== before.time;
    });
  }

  /** Bytes of sound that the browser has decoded. */
  audioDecoded(): Promise<number> {
    return this.do((player) => (player.media.nativeEl as unknown as Decoded).webkitAudioDecodedByteCount);
  }

  /** Waits until more sound is decoded than now. */
  async sounds(): Promise<void> {
    const before = await this.audioDecoded();
    await this.#waiting("sound that is decoded", async () => {
      const after = await this.audioDecoded();
      return after > before || (after < before && after > 0);
    });
  }

  /** The picture, as 16 by 9 brightnesses. */
  picture(): Promise<number[]> {
    return this.do((player) => {
      const canvas = document.createElement("canvas");
      canvas.width = 16;
      canvas.height = 9;
      const context = canvas.getContext("2d");
      if (!context) throw new Error("no canvas");
      context.drawImage(player.media.nativeEl, 0, 0, 16, 9);
      const { data } = context.getImageData(0, 0, 16, 9);
      return Array.from(
        { length: 16 * 9 },
        (_, i) => (data[4 * i] ?? 0) + (data[4 * i + 1] ?? 0) + (data[4 * i + 2] ?? 0),
      );
    });
  }

  /** Notes from now on how often there was nothing to be seen: neither a picture nor a still of one. */
  async watchForBlack(): Promise<() => Promise<number>> {
    await this.do((player) => {
      const video = player.media.nativeEl;
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [8, 8];
      const context = canvas.getContext("2d", { willReadFrequently: true });
      let black = 0;
      const look = () => {
        const shown = video.parentNode?.querySelector("canvas") ?? video;
        context?.clearRect(0, 0, 8, 8);
        context?.drawImage(shown, 0, 0, 8, 8);
        const { data = [] } = context?.getImageData(0, 0, 8, 8) ?? {};
        if (Math.max(...data.filter((_, i) => i % 4 < 3)) < 30) player.dataset.black = String(++black);
      };
      setInterval(look, 20);
    });
    return () => this.do((player) => Number(player.dataset.black ?? 0));
  }

  #progress(): Promise<{ decoded: number; time: number }> {
    return this.do((player) => ({
      decoded: player.media.nativeEl.getVideoPlaybackQuality().totalVideoFrames,
      time: player.media.nativeEl.currentTime,
    }));
  }

  /** Waits; tells what the player was doing where it takes too long. */
  async #waiting<T>(what: string, probe: () => Promise<T>) {
    try {
      return await until(what, probe);
    } catch (error) {
      const { status, stats, seen } = {
        status: await this.status(),
        stats: await this.stats(),
        seen: (await this.seen()).slice(-15),
      };
      throw new Error(`${error}\n${JSON.stringify({ status, stats, seen }, undefined, 1)}`);
    }
  }
}

/** Chromium's own counters. */
interface Decoded {
  readonly webkitAudioDecodedByteCount: number;
}
