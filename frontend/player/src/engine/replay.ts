import type { Moment, Seconds } from "../units.ts";
import type { Kind } from "./track.ts";

/** Groups larger than this are not kept: a rebuilt MediaSource then waits for the server. */
const maxBytes = 16 << 20;
/** Media kept before the edge even when a keyframe has just come. */
const history: Seconds = 0.6;

export interface Kept {
  readonly kind: Kind;
  readonly start: Seconds;
  readonly end: Seconds;
  readonly keyframe: boolean;
  /** By the server's clock. */
  readonly captured: Moment;
  readonly payload: Uint8Array<ArrayBuffer>;
}

/**
 * The newest group of pictures and the sound with it, so that a new
 * MediaSource can show the present picture without asking the server.
 */
export class Replay {
  #kept: Kept[] = [];
  #bytes = 0;

  add(fragment: Kept): void {
    this.#kept.push(fragment);
    this.#bytes += fragment.payload.length;
    if (fragment.kind === "video" && fragment.keyframe) this.#dropBefore(fragment.start - history);
    else if (this.#bytes > maxBytes) this.clear();
  }

  /** What has to be appended, in order; it starts with a keyframe if there is video. */
  fragments(kinds: readonly Kind[]): readonly Kept[] {
    const kept = this.#kept.filter(({ kind }) => kinds.includes(kind));
    if (!kinds.includes("video")) return kept;
    const first = kept.findIndex(({ kind, keyframe }) => kind === "video" && keyframe);
    const start = kept[first]?.start;
    if (start === undefined) return [];
    return kept.filter((fragment, i) => i >= first || (fragment.kind === "audio" && fragment.end > start));
  }

  /** How much of a kind is kept. */
  span(kind: Kind): Seconds {
    const own = this.#kept.filter((fragment) => fragment.kind === kind);
    const [first, last] = [own[0], own.at(-1)];
    return first && last ? last.end - first.start : 0;
  }

  clear(): void {
    this.#kept = [];
    this.#bytes = 0;
  }

  /** Drops what lies before the last keyframe at or before time. */
  #dropBefore(time: Seconds): void {
    const first = this.#kept.findLastIndex((f) => f.kind === "video" && f.keyframe && f.start <= time);
    if (first <= 0) return;
    this.#kept = this.#kept.slice(first);
    this.#bytes = this.#kept.reduce((sum, { payload }) => sum + payload.length, 0);
  }
}
