import type { Fragment, StreamStarted, Track } from "../client/types.ts";
import type { GapInfo, Recovery, RecoveryAction, UndecodableTrack } from "../status.ts";
import { type Millis, now, type Seconds } from "../units.ts";
import { CaptureTimes } from "./captured.ts";
import { Filler } from "./filler.ts";
import { Join } from "./join.ts";
import { Media } from "./media.ts";
import { Meter } from "./meter.ts";
import { Playhead, type PlayheadSample, type ShownFrame } from "./playhead.ts";
import type { Profile } from "./profile.ts";
import type { Operation } from "./queue.ts";
import { type Kept, Replay } from "./replay.ts";
import { choose, kindOf, sameKinds } from "./select.ts";
import { Steering } from "./steering.ts";
import type { Kind, TrackBuffer } from "./track.ts";
import { Trimmer } from "./trim.ts";
import { Watchdog } from "./watchdog.ts";

/** How often the playhead is steered and watched. */
const tick: Millis = 50;
/** A playhead that was put where no media came is put elsewhere after this. */
const joinTimeout: Millis = 400;
/** Media this far behind what came last is a hole, not rounding. */
const hole: Seconds = 0.15;

/** What the engine asks of the page, and tells. */
export interface EngineEvents {
  attach(media: Media): void;
  seek(time: Seconds): void;
  rate(rate: number): void;
  /** Sound that is to be heard begins at this time of the timeline. */
  soundFrom(time: Seconds): void;
  /** The tracks that play, and those that cannot. */
  tracks(playing: ReadonlyMap<Kind, Track>, undecodable: readonly UndecodableTrack[]): void;
  recovery(recovery: Recovery): void;
  gap(gap: GapInfo): void;
  /** The server has to begin anew at a keyframe: at a time, or at the live edge. */
  starved(time: Seconds | undefined): void;
}

/** What the engine has to know of the session and the page. */
export interface Wishes {
  /** Whether the server sends sound, and pictures. */
  readonly sound: boolean;
  readonly picture: boolean;
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
 * Turns fragments into playback: feeds a MediaSource, keeps the playhead near
 * the live edge, and repairs what breaks. It knows neither the connection nor
 * the element; it runs in a worker or in the page.
 */
export class Engine {
  readonly meter = new Meter();
  readonly playhead = new Playhead();
  readonly #events: EngineEvents;
  readonly #profile: Profile;
  readonly #serverOffset: () => Millis | undefined;
  readonly #steering: Steering;
  readonly #captured = new CaptureTimes();
  readonly #replay = new Replay();
  readonly #trimmer = new Trimmer();
  readonly #watchdog = new Watchdog();
  readonly #timer: ReturnType<typeof setInterval>;

  #media: Media;
  #started: StreamStarted | undefined;
  #tracks = new Map<number, Track>();
  #playing: ReadonlyMap<Kind, Track> = new Map();
  #join: Join | undefined;
  #filler: Filler | undefined;
  #filling = false;
  #flushed = false;
  /** Running dry is no news now. */
  #excused = false;
  #videoEnd: Seconds | undefined;
  #seeks = 0;
  #wishes: Wishes = { sound: true, picture: true, live: true, playing: true, latency: 0, visible: true };

  constructor(profile: Profile, serverOffset: () => Millis | undefined, events: EngineEvents) {
    this.#profile = profile;
    this.#serverOffset = serverOffset;
    this.#events = events;
    this.#steering = new Steering(profile);
    this.#media = this.#attach(1);
    this.#timer = setInterval(() => this.#tick(), tick);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#media.close();
  }

  /** Media ahead of the playhead that can be played. */
  get gap(): Seconds {
    const { time } = this.playhead;
    const end = time === undefined ? undefined : this.#media.endAt(time);
    return time === undefined || end === undefined ? 0 : Math.max(0, end - time);
  }

  get target(): Seconds {
    return this.#steering.target;
  }

  get rate(): number {
    return this.#steering.rate;
  }

  get jitter(): Millis {
    return this.#steering.jitter(this.#kinds);
  }

  /** The live position that can be held: the end of what is playable, less the target. */
  get safeLive(): Seconds | undefined {
    const { newest } = this.#media;
    return newest && Math.max(newest.start, newest.end - (this.target || this.#startBehind));
  }

  set wishes(wishes: Wishes) {
    const before = this.#wishes;
    this.#wishes = wishes;
    if (before.playing !== wishes.playing) {
      this.meter.forgetStall();
      this.#steering.restart();
    }
    this.#filling = this.#playing.has("audio") && (!wishes.sound || this.#filling);
  }

  /** Fragments of these tracks follow. */
  started(message: StreamStarted): void {
    const last = this.#started;
    this.#started = message;
    this.#tracks = new Map(message.tracks.map((track) => [track.id, track]));
    this.#replay.clear();
    const otherTimeline = last && (last.stream !== message.stream || last.instance !== message.instance);
    if (otherTimeline) this.#newTimeline();
    else if (last && last.epoch !== message.epoch) this.#newEpoch();
    if (this.#media.open) this.#configure();
  }

  /** The source broke off: that nothing comes is no fault of the network. */
  interrupted(): void {
    this.meter.forgetStall();
    this.#excused = true;
  }

  fragment(fragment: Fragment): void {
    this.meter.received(fragment.payload.length, now());
    const track = this.#tracks.get(fragment.trackId);
    if (!track || fragment.epoch !== this.#started?.epoch) return;
    const kind = kindOf(track);
    const start = (fragment.decodeTimeTicks + fragment.compositionOffsetTicks) / track.timescale;
    const duration = fragment.durationTicks / track.timescale;
    const captured = fragment.capturedAtUnixUs / 1000;
    const kept = {
      kind,
      start,
      end: start + duration,
      keyframe: fragment.keyframe,
      captured,
      payload: fragment.payload,
    };
    this.#replay.add(kept);
    this.#steering.arrived(kind, fragment.decodeTimeTicks / track.timescale, duration);
    if (kind === "video") this.#sawPicture(kept);
    if (!this.#accept(kind, track)) return;
    if (kind === "audio") this.#sawSound(fragment, start);
    this.#append(kept);
  }

  /** The viewer sought, and the server agreed. */
  sought(time: Seconds): void {
    this.#steering.restart();
    this.meter.forgetStall();
    this.#join = new Join(this.#kinds, 0, time);
    this.#seek(time);
  }

  /** What comes next starts at the live edge. */
  rejoin(): void {
    this.meter.forgetStall();
    this.#steering.restart();
    this.#join = new Join(this.#kinds, this.#startBehind);
  }

  sample(sample: PlayheadSample): void {
    if (sample.generation !== this.#media.generation) return;
    this.meter.quality(sample);
    if (sample.seeks < this.#seeks) return; // it left the page before the seek reached it
    const before = this.playhead.ready;
    this.playhead.update(sample);
    if (sample.paused || !this.#wishes.playing) return this.meter.forgetStall();
    if (this.playhead.ready) this.#endStall();
    else if (before && !sample.seeking && !this.#join && !this.#excused) this.meter.stallBegins(sample.at);
  }

  frame(frame: ShownFrame): void {
    if (frame.generation !== this.#media.generation) return;
    const captured = this.#captured.at(frame.time);
    const offset = this.#serverOffset();
    const latency = captured === undefined || offset === undefined ? undefined : frame.at + offset - captured;
    this.meter.frame(frame, latency);
    if (latency !== undefined) this.#steering.measured(latency / 1000 - this.gap);
  }

  /** The element failed. */
  mediaError(generation: number, message: string): void {
    if (generation === this.#media.generation) this.rebuild(`media element: ${message}`);
  }

  /** Makes the MediaSource anew and shows the present picture in it, unless that was just done. */
  rebuild(cause: string): void {
    if (!this.#watchdog.mayRebuild()) return;
    this.#recovered("rebuild", cause);
    this.#renew();
  }

  get #kinds(): readonly Kind[] {
    return [...this.#playing.keys()];
  }

  get #startBehind(): Seconds {
    const least = this.#playing.has("audio") ? this.#profile.soundStart : this.#profile.videoStart;
    return Math.max(least, this.#steering.target);
  }

  #attach(generation: number): Media {
    const media = new Media(generation, {
      opened: (opened) => {
        if (opened === this.#media) this.#configure();
      },
      failed: (failed, track, operation, error) => {
        if (failed === this.#media) this.#failed(track, operation, error);
      },
    });
    this.playhead.reset();
    this.#seeks = 0;
    this.#events.attach(media);
    return media;
  }

  #newTimeline(): void {
    this.#captured.clear();
    this.#trimmer.reset();
    this.#videoEnd = undefined;
    if (this.#media.tracks.size > 0) this.#renew();
  }

  /** The timeline goes on where it broke off, however long ago that was. */
  #newEpoch(): void {
    this.#steering.restart();
    if (!this.playhead.moving && this.#wishes.live && this.#media.tracks.size > 0) this.rejoin();
  }

  #renew(): void {
    const time = this.#wishes.live ? undefined : this.playhead.time;
    this.#media.close();
    this.#playing = new Map();
    this.#filling = false;
    this.#join = undefined;
    this.#steering.restart();
    this.meter.forgetStall();
    this.#media = this.#attach(this.#media.generation + 1);
    if (time !== undefined) this.#events.starved(time);
  }

  /** Fits the MediaSource to the tracks of the epoch. */
  #configure(): void {
    if (!this.#started) return;
    const sound = this.#wishes.sound || this.#playing.has("audio");
    const { chosen, undecodable } = choose(this.#started.tracks, { video: this.#wishes.picture, audio: sound });
    if (this.#media.tracks.size === 0) {
      if (!this.#declare(chosen)) return;
    } else if (sameKinds(chosen, this.#playing)) {
      for (const [kind, track] of chosen) this.#reinitialize(kind, track);
      this.#playing = chosen;
    } else {
      this.#recovered("rebuild", `the stream now has ${[...chosen.keys()].join(" and ") || "nothing to play"}`);
      return this.#renew();
    }
    const audio = this.#playing.get("audio");
    this.#filler = audio && new Filler(audio.timescale);
    this.#events.tracks(this.#playing, undecodable);
  }

  #declare(chosen: ReadonlyMap<Kind, Track>): boolean {
    if (chosen.size > 0) {
      try {
        this.#media.declare(chosen);
      } catch (error) {
        this.rebuild(`add source buffer: ${error}`);
        return false;
      }
    }
    this.#playing = chosen;
    this.#join = new Join(this.#kinds, this.#startBehind);
    const kept = this.#replay.fragments(this.#kinds);
    if (kept.length === 0 && this.#media.generation > 1 && this.#wishes.live) this.#events.starved(undefined);
    for (const fragment of kept) this.#append(fragment);
    return true;
  }

  #reinitialize(kind: Kind, track: Track): void {
    const buffer = this.#media.tracks.get(kind);
    if (!buffer || buffer.hasInit(track.initSegment)) return;
    if (buffer.type !== track.mimeType) this.#recovered("change_type", `${kind}: ${buffer.type} to ${track.mimeType}`);
    buffer.initialize(track.mimeType, track.initSegment);
  }

  /** Says whether a fragment of the track can be appended; sees to it that the next ones can. */
  #accept(kind: Kind, track: Track): boolean {
    if (!this.#media.open) return false;
    const playing = this.#playing.get(kind);
    if (playing?.id === track.id) return true;
    const wanted = kind === "video" ? this.#wishes.picture : this.#wishes.sound;
    if (!choose([track], { video: wanted, audio: wanted }).chosen.has(kind)) return false;
    if (playing) {
      this.#reinitialize(kind, track);
      this.#playing = new Map(this.#playing).set(kind, track);
      return true;
    }
    // A browser takes no further track later on. With enough of it at hand a new MediaSource starts at once.
    if (this.#replay.span(kind) >= (kind === "audio" ? this.#profile.soundStart : 0)) {
      this.#recovered("rebuild", `${kind} begins`);
      this.#renew();
    }
    return false;
  }

  #append(fragment: Kept): void {
    const { kind, start, end, captured, payload } = fragment;
    const offset = this.#serverOffset();
    const behind = offset === undefined ? undefined : (now() + offset - captured) / 1000;
    const position = this.#join?.fragment(kind, start, end, behind);
    this.#media.tracks.get(kind)?.append(payload);
    if (position !== undefined) this.#seek(position);
    if (kind === "video" && this.#filling) {
      for (const silence of this.#filler?.fill(end) ?? []) this.#media.tracks.get("audio")?.append(silence);
    }
  }

  #sawPicture({ start, end, keyframe, captured }: Kept): void {
    this.#captured.add(start, captured);
    if (keyframe) this.#trimmer.keyframe(start);
    const missing = this.#videoEnd === undefined ? 0 : start - this.#videoEnd;
    this.#videoEnd = end;
    if (missing > hole && this.#wishes.live && !this.#join) this.rejoin();
  }

  #sawSound(fragment: Fragment, start: Seconds): void {
    this.#filler?.saw(fragment.payload, fragment.decodeTimeTicks, fragment.durationTicks);
    if (this.#filling && this.#wishes.sound) {
      this.#filling = false;
      this.#events.soundFrom(start);
    }
  }

  #seek(time: Seconds): void {
    this.#seeks++;
    this.playhead.touch();
    this.#steering.moved();
    this.#events.seek(time);
  }

  /** Puts the playhead to the live edge of what is buffered. */
  #toEdge(): boolean {
    const { newest } = this.#media;
    if (!newest) return false;
    this.#seek(Math.max(newest.start, newest.end - this.#startBehind));
    return true;
  }

  #endStall(): void {
    this.#flushed = false;
    const at = now();
    const stood = this.meter.stallEnds(at);
    if (stood === undefined) return;
    this.#steering.stalled();
    this.#recovered("stall", `playback ran dry for ${Math.round(stood)} ms`);
    const gap: GapInfo = { reason: "stall", duration: stood / 1000, at };
    this.meter.remember("gaps", gap);
    this.#events.gap(gap);
  }

  /** After sound ran dry Chromium waits for twice as much of it as before. A seek makes it forget that. */
  #flush(gap: Seconds): boolean {
    const due = this.#profile.growsAfterStall && this.#wishes.live && this.#playing.has("audio") && !this.#flushed;
    if (!due || gap < this.#profile.soundStart || !this.#toEdge()) return false;
    this.#flushed = true;
    return true;
  }

  #failed(track: TrackBuffer, operation: Operation, error: unknown): void {
    const cause = `${operation.label}: ${error instanceof Error ? `${error.name}: ${error.message}` : error}`;
    const full = error instanceof DOMException && error.name === "QuotaExceededError";
    const cut = full ? this.#trimmer.urgent(this.playhead.time ?? 0) : undefined;
    if (cut !== undefined) {
      this.#recovered("trim", cause);
      track.retryAfterRemoving(operation, cut);
    } else {
      this.rebuild(cause);
    }
  }

  #recovered(action: RecoveryAction, cause: string): void {
    const recovery: Recovery = { action, cause, at: now() };
    this.meter.remember("recoveries", recovery);
    this.#events.recovery(recovery);
  }

  #tick(): void {
    const { time } = this.playhead;
    if (!this.#media.open || time === undefined || this.#media.tracks.size === 0) return;
    if (this.#join) this.#watchJoin(this.#join, time);
    if (this.#wishes.playing && (this.#join?.age ?? Infinity) > 2 * joinTimeout) this.#watch(time);
    this.#steer();
    const cut = this.#trimmer.due(now(), time);
    if (cut !== undefined) for (const track of this.#media.tracks.values()) track.remove(0, cut);
  }

  #watchJoin(join: Join, time: Seconds): void {
    const { sample, moving } = this.playhead;
    const arrived = sample !== undefined && sample.seeks === this.#seeks && !sample.seeking;
    if (arrived && (moving || sample.paused)) {
      this.#join = undefined;
      this.#excused = false;
      this.#steering.started();
    } else if (join.age > joinTimeout && this.#wishes.live && this.#media.endAt(time) === undefined) {
      // Where the playhead was put, nothing came.
      if (this.#toEdge()) this.#join = new Join(this.#kinds, 0, this.playhead.time);
    }
  }

  #steer(): void {
    const before = this.#steering.rate;
    const { jump, gaveUp } = this.#steering.tick({
      gap: this.gap,
      moving: this.playhead.moving && !this.#join,
      steer: this.#wishes.live && this.#wishes.playing,
      kinds: this.#kinds,
      latency: this.#wishes.latency,
    });
    if (this.#steering.rate !== before) this.#events.rate(this.#steering.rate);
    if (gaveUp) this.#recovered("stop_chasing", "the gap to the live edge did not shrink");
    if (jump && this.#toEdge()) this.#recovered("jump", "far behind the live edge");
  }

  #watch(time: Seconds): void {
    const { sample, frozenFor } = this.playhead;
    if (!sample || sample.paused || !this.#wishes.visible) return;
    const gap = this.gap;
    if (this.meter.isStalled && this.#flush(gap)) return;
    const repair = this.#watchdog.check({ frozenFor, gap, after: this.#media.after(time) });
    if (!repair) return;
    const cause = `the playhead stood at ${time.toFixed(3)} s for ${Math.round(frozenFor)} ms`;
    if (repair.action === "rebuild") return this.rebuild(cause);
    this.#recovered(repair.action, cause);
    if (repair.action === "step_over_hole") this.#seek(repair.to + 0.001);
    else this.#toEdge();
  }
}
