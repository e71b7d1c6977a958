import type { GapInfo, Recovery } from "../status.ts";
import { type Millis, type Moment, now } from "../units.ts";
import type { PlayheadSample, ShownFrame } from "./playhead.ts";

/** Rates are taken over this long. */
const window: Millis = 2_000;
/** How many gaps and recoveries are remembered. */
const maxRemembered = 20;
/** A standstill shorter than this is not one that anybody sees. */
const minStall: Millis = 80;

interface Count {
  readonly at: Moment;
  readonly value: number;
}

/** Adds up over the last two seconds. */
class Rate {
  #counts: Count[] = [];

  add(value: number, at: Moment): void {
    this.#counts.push({ at, value });
    if ((this.#counts[0]?.at ?? at) < at - 2 * window) this.#counts = this.#counts.filter((c) => c.at > at - window);
  }

  perSecond(at: Moment): number {
    const sum = this.#counts.reduce((total, c) => (c.at > at - window ? total + c.value : total), 0);
    return sum / (window / 1000);
  }
}

/** Counts what happens, over all MediaSources and connections of a player. */
export class Meter {
  readonly #bytes = new Rate();
  readonly #frames = new Rate();
  #shown = 0;
  #stalledSince: Moment | undefined;
  #base = { decoded: 0, dropped: 0 };
  #last = { generation: 0, decoded: 0, dropped: 0 };
  latency: Millis | undefined;
  stalls = 0;
  stalled: Millis = 0;
  readonly gaps: GapInfo[] = [];
  readonly recoveries: Recovery[] = [];

  received(bytes: number, at: Moment): void {
    this.#bytes.add(bytes, at);
  }

  /** A frame was shown; latency where its capture time is known. */
  frame(frame: ShownFrame, latency: Millis | undefined): void {
    const since = frame.count - this.#shown;
    if (since > 0) this.#frames.add(since, frame.at);
    this.#shown = frame.count;
    if (latency !== undefined) this.latency = latency;
  }

  /** Elements count from 0 with every MediaSource; here the count goes on. */
  quality({ generation, decoded, dropped }: PlayheadSample): void {
    if (generation !== this.#last.generation || decoded < this.#last.decoded) {
      this.#base = { decoded: this.decoded, dropped: this.dropped };
    }
    this.#last = { generation, decoded, dropped };
  }

  get decoded(): number {
    return this.#base.decoded + this.#last.decoded;
  }

  get dropped(): number {
    return this.#base.dropped + this.#last.dropped;
  }

  get isStalled(): boolean {
    return this.#stalledSince !== undefined;
  }

  /** Playback ran dry. */
  stallBegins(at: Moment): void {
    this.#stalledSince ??= at;
  }

  /** It goes on; returns how long it stood, or undefined where that was too short to be seen. */
  stallEnds(at: Moment): Millis | undefined {
    const since = this.#stalledSince;
    this.#stalledSince = undefined;
    if (since === undefined || at - since < minStall) return undefined;
    this.stalls++;
    this.stalled += at - since;
    return at - since;
  }

  /** What looked like a stall was not: the viewer paused, or the source changed. */
  forgetStall(): void {
    this.#stalledSince = undefined;
  }

  remember(list: "gaps", entry: GapInfo): void;
  remember(list: "recoveries", entry: Recovery): void;
  remember(list: "gaps" | "recoveries", entry: GapInfo | Recovery): void {
    const entries: unknown[] = this[list];
    entries.push(entry);
    if (entries.length > maxRemembered) entries.shift();
  }

  get bitrate(): number {
    return this.#bytes.perSecond(now()) * 8;
  }

  get framesPerSecond(): number {
    return this.#frames.perSecond(now());
  }
}
