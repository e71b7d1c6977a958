import type { Millis, Moment, Seconds } from "../units.ts";
import type { Profile } from "./profile.ts";

/** Gaps this near to the target are left alone. */
const deadBand: Seconds = 0.015;
/** Chasing ends this near to the target, so that it does not begin again at once. */
const settled: Seconds = 0.005;
/** Rate change for each second of error. */
const gain = 1;
/** Besides half a fragment, around which the gap swings: the time to append and decode one. */
const margin: Seconds = 0.02;
/** Fragments longer than this swing too slowly to be smoothed; the whole of one is kept ahead. */
const longChunk: Seconds = 0.1;
/** When the gap is so much smaller than just before, nothing comes. */
const dip: Seconds = 0.04;
/** With less than this ahead, sound may then run dry: it is slowed down at once. */
const scarce: Seconds = 0.2;
/** Smaller steps of the rate are not worth disturbing the renderer. */
const rateStep = 0.01;
/** The gap is smoothed over this time: it is a sawtooth, one tooth a fragment. */
const smoothing: Millis = 250;

/** Farther behind than this, for as long as this, the playhead jumps. */
const jumpError: Seconds = 1;
const jumpAfter: Millis = 150;
const jumpCooldown: Millis = 3_000;
/** Just after a start, when a jump disturbs least, less is enough for one, and sooner. */
const startError: Seconds = 0.45;
const startJumpAfter: Millis = 100;
const startPhase: Millis = 1_500;
/** For so long after a start or a stall a chase may be quicker: the renderer's start is made up for without a jump. */
const startChasePhase: Millis = 3_000;

/** A chase has to bring this part of what its rate promises, or it is a runaway. */
const minProgress = 0.3;
const progressAfter: Millis = 2_500;
/** A promise smaller than this cannot be told from noise. */
const leastPromise: Seconds = 0.06;
const chaseCooldown: Millis = 8_000;

/** What each stall adds to the target, and how much of that at most. */
const stallStep: Seconds = 0.04;
const maxStallGrowth: Seconds = 2;
/** Jitter beyond this is an outage, which no buffer of a live stream ought to bridge. */
const maxJitter: Seconds = 1;
/** After this long without a stall, growth shrinks by half in every such time. */
const calm: Millis = 15_000;

export interface LiveInput {
  readonly at: Moment;
  /** Media ahead of the playhead that can be played. */
  readonly gap: Seconds;
  /** False while the element waits, seeks or is paused. */
  readonly moving: boolean;
  readonly sound: boolean;
  /** Sound goes through a graph of Web Audio. */
  readonly graph: boolean;
  /** The longest fragment of the tracks that play. */
  readonly chunk: Seconds;
  readonly jitter: Millis;
  /** What a wanted latency leaves for the gap; undefined for automatic. */
  readonly wanted: Seconds | undefined;
}

export interface LiveDecision {
  readonly rate: number;
  readonly target: Seconds;
  /** Move the playhead to the target. */
  readonly jump: boolean;
  /** A chase was given up because the gap did not shrink. */
  readonly gaveUp: boolean;
}

/**
 * Keeps the playhead near the live edge: by playing a little faster or slower,
 * and by a jump when it is far behind. A pure state machine; whoever owns it
 * calls tick some twenty times a second.
 */
export class LiveControl {
  readonly #profile: Profile;
  #smoothed: Seconds | undefined;
  #at: Moment = 0;
  #rate = 1;
  #farSince: Moment | undefined;
  #jumpedAt: Moment = Number.NEGATIVE_INFINITY;
  #startedAt: Moment = Number.NEGATIVE_INFINITY;
  #hurriesUntil: Moment = Number.NEGATIVE_INFINITY;
  #chase: { since: Moment; gap: Seconds; expected: Seconds } | undefined;
  #noChaseBefore: Moment = 0;
  #growth: Seconds = 0;
  #calmSince: Moment = 0;

  constructor(profile: Profile) {
    this.#profile = profile;
  }

  /** The gap without its sawtooth. */
  get smoothedGap(): Seconds {
    return this.#smoothed ?? 0;
  }

  /** Tells that playback ran dry. */
  stalled(at: Moment): void {
    this.#growth = Math.min(this.#growth + stallStep, maxStallGrowth);
    this.#hurriesUntil = at + startChasePhase;
    this.#calmSince = at;
    this.#reset();
  }

  /** Tells that the playhead was moved or the source changed: what was measured is void. */
  moved(): void {
    this.#reset();
  }

  /** Tells that playing has begun: a start that took long is mended with one jump. */
  started(at: Moment): void {
    this.#startedAt = at;
    this.#hurriesUntil = at + startChasePhase;
  }

  tick(input: LiveInput): LiveDecision {
    const target = this.#target(input);
    const elapsed = Math.min(200, input.at - this.#at);
    this.#at = input.at;
    if (!input.moving) {
      this.#reset();
      return { rate: 1, target, jump: false, gaveUp: false };
    }
    const weight = this.#smoothed === undefined ? 1 : 1 - Math.exp(-elapsed / smoothing);
    this.#smoothed = (this.#smoothed ?? 0) + weight * (input.gap - (this.#smoothed ?? 0));
    const error = this.#smoothed - target;
    if (this.#jumpIsDue(error, input.at)) {
      // So far behind was an outage, and so were the stalls that came with it.
      this.#growth = 0;
      this.#jumpedAt = input.at;
      this.#hurriesUntil = input.at + startChasePhase;
      this.#noChaseBefore = 0;
      this.#reset();
      return { rate: 1, target, jump: true, gaveUp: false };
    }
    const gaveUp = this.#watchChase(input.at, elapsed);
    this.#rate = this.#nextRate(error, input);
    return { rate: this.#rate, target, jump: false, gaveUp };
  }

  #reset(): void {
    this.#smoothed = undefined;
    this.#rate = 1;
    this.#farSince = undefined;
    this.#chase = undefined;
  }

  #target(input: LiveInput): Seconds {
    if (input.at - this.#calmSince > calm) {
      this.#growth = this.#growth < 0.005 ? 0 : this.#growth / 2;
      this.#calmSince = input.at;
    }
    const { videoFloor, soundFloor, graphFloor = soundFloor } = this.#profile;
    const floor = !input.sound ? videoFloor : input.graph ? graphFloor : soundFloor;
    const short = this.#brake(input) > 0 ? 0 : 0.5 * input.chunk + margin;
    const even = input.chunk > longChunk ? 1.5 * input.chunk : short;
    // Growth is for stalls that lateness does not explain: where it does, both would be twice too much.
    const needed = Math.max(floor + this.#growth, even + Math.min(input.jitter / 1000, maxJitter));
    return input.wanted === undefined ? needed : Math.max(floor, input.wanted);
  }

  #jumpIsDue(error: Seconds, at: Moment): boolean {
    const starting = at - this.#startedAt < startPhase;
    if (error < (starting ? startError : jumpError)) {
      this.#farSince = undefined;
      return false;
    }
    this.#farSince ??= at;
    if (starting && at - this.#farSince >= startJumpAfter) {
      this.#startedAt = Number.NEGATIVE_INFINITY;
      return true;
    }
    return at - this.#farSince >= jumpAfter && at - this.#jumpedAt >= jumpCooldown;
  }

  /** Compares what the chase has brought with what its rate promised. */
  #watchChase(at: Moment, elapsed: Millis): boolean {
    const gap = this.#smoothed ?? 0;
    if (this.#rate <= 1) {
      this.#chase = undefined;
      return false;
    }
    this.#chase ??= { since: at, gap, expected: 0 };
    this.#chase.expected += (this.#rate - 1) * (elapsed / 1000);
    if (at - this.#chase.since < progressAfter || this.#chase.expected < leastPromise) return false;
    const failed = this.#chase.gap - gap < minProgress * this.#chase.expected;
    this.#chase = undefined;
    if (failed) this.#noChaseBefore = at + chaseCooldown;
    return failed;
  }

  /** How much slower it may play for a moment; long fragments leave gaps that say nothing. */
  #brake({ sound, chunk }: LiveInput): number {
    return sound && chunk <= longChunk ? (this.#profile.brake ?? 0) : 0;
  }

  #nextRate(error: Seconds, input: LiveInput): number {
    const { videoChase, soundChase, startChase } = this.#profile;
    const endangered = input.gap < scarce && (this.#smoothed ?? 0) - input.gap > dip;
    const brake = this.#brake(input);
    if (brake > 0 && endangered) return 1 - brake;
    const most = !input.sound ? videoChase : input.at < this.#hurriesUntil && error > 0 ? startChase : soundChase;
    if (most === 0 || input.at < this.#noChaseBefore) return 1;
    if (Math.abs(error) < (this.#rate === 1 ? deadBand : settled)) return 1;
    // It has crossed the target: done.
    if (this.#rate !== 1 && Math.sign(error) !== Math.sign(this.#rate - 1)) return 1;
    const wish = Math.max(-most, Math.min(most, gain * error));
    const stepped = Math.sign(wish) * Math.max(rateStep, Math.round(Math.abs(wish) / rateStep) * rateStep);
    return 1 + stepped;
  }
}
