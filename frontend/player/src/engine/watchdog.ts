import { type Millis, type Moment, now, type Seconds } from "../units.ts";

/** A playhead that stands this long at the end of its range, with more media behind a hole, steps over. */
const holeAfter: Millis = 200;
/** Frozen this long with media ahead, it is moved; this long, the MediaSource is made anew. */
const seekAfter: Millis = 1_000;
const rebuildAfter: Millis = 3_000;
/** Media ahead that ought to be enough to go on. */
const enough: Seconds = 0.4;
/** Rebuilding is held back this long after the last time, then longer and longer. */
const firstRebuildPause: Millis = 1_000;
const lastRebuildPause: Millis = 20_000;
/** After this long without a rebuild, the pause starts over. */
const healthy: Millis = 60_000;

export interface WatchInput {
  readonly frozenFor: Millis;
  /** Media ahead of the playhead in its range. */
  readonly gap: Seconds;
  /** Where media goes on behind a hole. */
  readonly after: Seconds | undefined;
}

export type Repair =
  | { readonly action: "step_over_hole"; readonly to: Seconds }
  | { readonly action: "unfreeze" }
  | { readonly action: "rebuild" };

/** Decides what to do about a playhead that does not move although it should. */
export class Watchdog {
  #seeked = false;
  #rebuiltAt: Moment = 0;
  #pause: Millis = firstRebuildPause;

  check({ frozenFor, gap, after }: WatchInput): Repair | undefined {
    if (frozenFor < holeAfter) {
      this.#seeked = false;
      return undefined;
    }
    if (gap < 0.06 && after !== undefined) return { action: "step_over_hole", to: after };
    if (gap < enough) return undefined; // it waits for media, as it should
    if (frozenFor >= rebuildAfter) return { action: "rebuild" };
    if (frozenFor >= seekAfter && !this.#seeked) {
      this.#seeked = true;
      return { action: "unfreeze" };
    }
    return undefined;
  }

  /** Whether the MediaSource may be made anew now; counts as done when true. */
  mayRebuild(): boolean {
    const since = now() - this.#rebuiltAt;
    if (since < this.#pause) return false;
    this.#pause = since > healthy ? firstRebuildPause : Math.min(this.#pause * 2, lastRebuildPause);
    this.#rebuiltAt = now();
    return true;
  }
}
