import type { Millis, Moment, Seconds } from "../units.ts";
import type { Kind } from "./track.ts";

/** Media kept behind the playhead, for seeking back without the server's help in the decoder. */
const keep: Seconds = 10;
const every: Millis = 3_000;
/** Keyframes remembered: ten minutes of one a second. */
const maxKeyframes = 600;

/**
 * Says how far a buffer may be emptied: up to a keyframe, since removing the
 * head of a group of pictures removes all of it.
 */
export class Trimmer {
  #keyframes: Seconds[] = [];
  #at: Moment = 0;
  /** Where each track was cut in need. */
  readonly #cuts = new Map<Kind, Seconds>();

  keyframe(time: Seconds): void {
    if (time <= (this.#keyframes.at(-1) ?? -1)) return;
    this.#keyframes.push(time);
    if (this.#keyframes.length > maxKeyframes) this.#keyframes.shift();
  }

  reset(): void {
    this.#keyframes = [];
    this.#cuts.clear();
  }

  /** Returns where to remove up to, every few seconds; undefined when there is nothing to do. */
  due(at: Moment, playhead: Seconds): Seconds | undefined {
    if (at - this.#at < every) return undefined;
    this.#at = at;
    return this.#cut(playhead - keep, 2);
  }

  /** The same when memory is short: all but the present group, once in it for each track, since more would not help. */
  urgent(playhead: Seconds, kind: Kind): Seconds | undefined {
    const cut = this.#cut(playhead, 0);
    if (cut === undefined || cut === this.#cuts.get(kind)) return undefined;
    this.#cuts.set(kind, cut);
    return cut;
  }

  /** The newest keyframe at or before time, less some groups of pictures. */
  #cut(time: Seconds, groups: number): Seconds | undefined {
    const last = this.#keyframes.findLastIndex((keyframe) => keyframe <= time);
    // Without pictures every fragment of sound is a keyframe.
    const cut = this.#keyframes.length === 0 ? time : this.#keyframes[Math.max(0, last - groups)];
    if (cut === undefined || cut > time || cut <= 0) return undefined;
    this.#keyframes = this.#keyframes.filter((keyframe) => keyframe >= cut);
    return cut;
  }
}
