import type { GapInfo, RecoveryAction } from "../status.ts";
import { type Millis, now, type Seconds } from "../units.ts";
import { Join } from "./join.ts";
import type { Media } from "./media.ts";
import type { Meter } from "./meter.ts";
import { Playhead, type PlayheadSample } from "./playhead.ts";
import type { Profile } from "./profile.ts";
import { Steering } from "./steering.ts";
import type { Kind } from "./track.ts";
import { Watchdog } from "./watchdog.ts";

/** A playhead that was put where no media came is put elsewhere after this. */
const joinTimeout: Millis = 400;

/** What the pilot asks for. */
export interface PilotEvents {
  seek(time: Seconds): void;
  rate(rate: number): void;
  recovered(action: RecoveryAction, cause: string): void;
  gap(gap: GapInfo): void;
  /** Nothing else helps but another MediaSource. */
  rebuild(cause: string): void;
}

/** What the viewer wants of the playhead. */
export interface Course {
  /** False while the viewer is behind live by choice. */
  readonly live: boolean;
  /** False while paused. */
  readonly playing: boolean;
  /** Wanted capture-to-display latency, 0 for automatic. */
  readonly latency: Millis;
  /** False while the page is hidden, where browsers stop pictures. */
  readonly visible: boolean;
}

/**
 * Moves the playhead: puts it to the live edge, keeps it there, and gets it
 * going when it stands still. What is buffered is not its business.
 */
export class Pilot {
  readonly playhead = new Playhead();
  readonly steering: Steering;
  readonly #profile: Profile;
  readonly #meter: Meter;
  readonly #events: PilotEvents;
  readonly #watchdog = new Watchdog();
  #media: Media | undefined;
  #kinds: readonly Kind[] = [];
  #course: Course = { live: true, playing: true, latency: 0, visible: true };
  #join: Join | undefined;
  /** Seeks asked of the page, in this MediaSource. */
  #seeks = 0;
  #flushed = false;
  /** Running dry is no news now. */
  #excused = false;

  constructor(profile: Profile, meter: Meter, events: PilotEvents) {
    this.#profile = profile;
    this.#meter = meter;
    this.#events = events;
    this.steering = new Steering(profile);
  }

  /** Media ahead of the playhead that can be played. */
  get gap(): Seconds {
    const { time } = this.playhead;
    const end = time === undefined ? undefined : this.#media?.endAt(time);
    return time === undefined || end === undefined ? 0 : Math.max(0, end - time);
  }

  /** How far behind the edge to begin. */
  get startBehind(): Seconds {
    const { soundStart, videoStart } = this.#profile;
    return Math.max(this.#kinds.includes("audio") ? soundStart : videoStart, this.steering.target);
  }

  /** True while a start is under way. */
  get joining(): boolean {
    return this.#join !== undefined;
  }

  set course(course: Course) {
    if (this.#course.playing !== course.playing) {
      this.#meter.forgetStall();
      this.steering.restart();
    }
    this.#course = course;
  }

  /** Takes over another MediaSource. */
  take(media: Media): void {
    this.#media = media;
    this.#kinds = [];
    this.#join = undefined;
    this.#seeks = 0;
    this.playhead.reset();
    this.steering.restart();
    this.#meter.forgetStall();
  }

  /** Says which tracks play from now on. */
  set kinds(kinds: readonly Kind[]) {
    this.#kinds = kinds;
  }

  /** The viewer sought. */
  goTo(time: Seconds): void {
    this.steering.restart();
    this.#meter.forgetStall();
    this.#join = new Join(this.#kinds, 0, time);
    this.#seek(time);
  }

  /** What comes next starts at the live edge. */
  rejoin(): void {
    this.#meter.forgetStall();
    this.steering.restart();
    const lead = this.#kinds.includes("audio") ? this.#profile.soundLead : 0;
    this.#join = new Join(this.#kinds, this.startBehind - lead);
  }

  /** The source broke off: that nothing comes is no fault of the network. */
  excuse(): void {
    this.#meter.forgetStall();
    this.#excused = true;
  }

  /** The timeline goes on where it broke off, however long ago that was. */
  newEpoch(): void {
    this.#excused = false;
    this.steering.restart();
    if (!this.playhead.moving && this.#course.live && this.#kinds.length > 0) this.rejoin();
  }

  /** A fragment is about to be appended; behind is how long ago it was captured. */
  appending(kind: Kind, start: Seconds, end: Seconds, behind: Seconds | undefined): void {
    const position = this.#join?.fragment(kind, start, end, behind);
    if (position !== undefined) this.#seek(position);
  }

  sample(sample: PlayheadSample): void {
    if (sample.seeks < this.#seeks) return; // it left the page before the seek reached it
    const before = this.playhead.ready;
    this.playhead.update(sample);
    if (sample.paused || !this.#course.playing) return this.#meter.forgetStall();
    if (this.playhead.ready) this.#endStall();
    else if (before && !sample.seeking && !this.#join && !this.#excused) this.#meter.stallBegins(sample.at);
  }

  /** Whether the MediaSource may be made anew now; counts as done when true. */
  mayRebuild(): boolean {
    return this.#watchdog.mayRebuild();
  }

  /** To be called some twenty times a second. */
  tick(): void {
    const { time } = this.playhead;
    const media = this.#media;
    if (!media || time === undefined || this.#kinds.length === 0) return;
    if (this.#join) this.#watchJoin(this.#join, media, time);
    const settled = !this.#join || this.#join.age > 2 * joinTimeout;
    if (this.#course.playing && settled) this.#watch(media, time);
    this.#steer();
  }

  #seek(time: Seconds): void {
    this.#seeks++;
    this.playhead.touch();
    this.steering.moved();
    this.#events.seek(time);
  }

  /** Puts the playhead to the live edge of what is buffered; returns where. */
  #toEdge(): Seconds | undefined {
    const newest = this.#media?.newest;
    if (!newest) return undefined;
    const time = Math.max(newest.start, newest.end - this.startBehind);
    this.#seek(time);
    return time;
  }

  #watchJoin(join: Join, media: Media, time: Seconds): void {
    const { sample, moving } = this.playhead;
    const arrived = sample !== undefined && sample.seeks === this.#seeks && !sample.seeking;
    if (arrived && (moving || sample.paused)) {
      this.#join = undefined;
      this.steering.started();
    } else if (join.age > joinTimeout && this.#course.live && media.endAt(time) === undefined) {
      // Where the playhead was put, nothing came.
      const edge = this.#toEdge();
      if (edge !== undefined) this.#join = new Join(this.#kinds, 0, edge);
    }
  }

  #steer(): void {
    const before = this.steering.rate;
    const { jump, gaveUp } = this.steering.tick({
      gap: this.gap,
      moving: this.playhead.moving && !this.#join,
      steer: this.#course.live && this.#course.playing,
      kinds: this.#kinds,
      latency: this.#course.latency,
    });
    if (this.steering.rate !== before) this.#events.rate(this.steering.rate);
    if (gaveUp) this.#events.recovered("stop_chasing", "the gap to the live edge did not shrink");
    if (jump && this.#toEdge() !== undefined) this.#events.recovered("jump", "far behind the live edge");
  }

  #watch(media: Media, time: Seconds): void {
    const { sample, frozenFor } = this.playhead;
    if (!sample || sample.paused || !this.#course.visible || this.#excused) return;
    const gap = this.gap;
    if (this.#meter.isStalled && this.#flush(gap)) return;
    const repair = this.#watchdog.check({ frozenFor, gap, after: media.after(time) });
    if (!repair) return;
    const cause = `the playhead stood at ${time.toFixed(3)} s for ${Math.round(frozenFor)} ms`;
    if (repair.action === "rebuild") return this.#events.rebuild(cause);
    if (repair.action === "unfreeze") {
      this.#events.recovered(repair.action, cause);
      this.#toEdge();
      return;
    }
    this.#events.recovered(repair.action, `nothing was buffered from ${time.toFixed(3)} to ${repair.to.toFixed(3)} s`);
    this.#seek(repair.to + 0.001);
  }

  /** After sound ran dry Chromium waits for twice as much of it as before. A seek makes it forget that. */
  #flush(gap: Seconds): boolean {
    const due = this.#profile.growsAfterStall && this.#course.live && this.#kinds.includes("audio") && !this.#flushed;
    if (!due || gap < this.#profile.soundStart || this.#toEdge() === undefined) return false;
    this.#flushed = true;
    return true;
  }

  #endStall(): void {
    this.#flushed = false;
    const at = now();
    const stood = this.#meter.stallEnds(at);
    if (stood === undefined) return;
    this.steering.stalled();
    this.#events.recovered("stall", `playback ran dry for ${Math.round(stood)} ms`);
    const gap: GapInfo = { reason: "stall", duration: stood / 1000, at };
    this.#meter.remember("gaps", gap);
    this.#events.gap(gap);
  }
}
