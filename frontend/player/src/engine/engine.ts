import type { Fragment, StreamStarted, Track } from "../client/types.ts";
import type { GapInfo, Recovery, RecoveryAction, UndecodableTrack } from "../status.ts";
import { type Millis, now, type Seconds } from "../units.ts";
import { CaptureTimes } from "./captured.ts";
import { Media } from "./media.ts";
import { Meter } from "./meter.ts";
import { type Course, Pilot } from "./pilot.ts";
import type { Playhead, PlayheadSample, ShownFrame } from "./playhead.ts";
import type { Profile } from "./profile.ts";
import type { Operation } from "./queue.ts";
import { type Kept, Replay } from "./replay.ts";
import { choose, kindOf, sameKinds } from "./select.ts";
import { type Sent, StandIn } from "./stand-in.ts";
import type { Kind, TrackBuffer } from "./track.ts";
import { Trimmer } from "./trim.ts";

/** How often the playhead is steered and watched. */
const tick: Millis = 50;
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
export interface Wishes extends Course, Sent {}

/**
 * Turns fragments into playback: feeds a MediaSource, keeps the playhead near
 * the live edge, and repairs what breaks. It knows neither the connection nor
 * the element; it runs in a worker or in the page.
 */
export class Engine {
  readonly meter = new Meter();
  readonly #events: EngineEvents;
  readonly #profile: Profile;
  readonly #serverOffset: () => Millis | undefined;
  readonly #pilot: Pilot;
  readonly #captured = new CaptureTimes();
  readonly #replay = new Replay();
  readonly #trimmer = new Trimmer();
  readonly #standIn: StandIn;
  readonly #timer: ReturnType<typeof setInterval>;

  #media: Media;
  #started: StreamStarted | undefined;
  #tracks = new Map<number, Track>();
  #playing: ReadonlyMap<Kind, Track> = new Map();
  #undecodable: readonly UndecodableTrack[] = [];
  /** Why the MediaSource has to be made anew although that was just done. */
  #broken: string | undefined;
  #wishes: Wishes = { sound: true, picture: true, live: true, playing: true, latency: 0, visible: true };

  constructor(profile: Profile, serverOffset: () => Millis | undefined, events: EngineEvents) {
    this.#profile = profile;
    this.#serverOffset = serverOffset;
    this.#events = events;
    this.#pilot = new Pilot(profile, this.meter, {
      seek: (time) => events.seek(time),
      rate: (rate) => events.rate(rate),
      recovered: (action, cause) => this.#recovered(action, cause),
      gap: (gap) => events.gap(gap),
      rebuild: (cause) => this.rebuild(cause),
    });
    this.#standIn = new StandIn({
      append: (kind, silence) => this.#media.tracks.get(kind)?.append(silence),
      show: (picture) => this.#show(picture),
      soundFrom: (time) => events.soundFrom(time),
    });
    this.#media = this.#attach(1);
    this.#timer = setInterval(() => this.#tick(), tick);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#media.close();
  }

  get playhead(): Playhead {
    return this.#pilot.playhead;
  }

  /** Media ahead of the playhead that can be played. */
  get gap(): Seconds {
    return this.#pilot.gap;
  }

  get target(): Seconds {
    return this.#pilot.steering.target;
  }

  get rate(): number {
    return this.#pilot.steering.rate;
  }

  get jitter(): Millis {
    return this.#pilot.steering.jitter(this.#kinds);
  }

  /** The live position that can be held: the end of what is playable, less the target. */
  get safeLive(): Seconds | undefined {
    const { newest } = this.#media;
    return newest && Math.max(newest.start, newest.end - (this.target || this.#pilot.startBehind));
  }

  set wishes(wishes: Wishes) {
    this.#wishes = wishes;
    this.#pilot.course = wishes;
    this.#standIn.sent = wishes;
  }

  /** Fragments of these tracks follow. */
  started(message: StreamStarted): void {
    const last = this.#started;
    this.#started = message;
    this.#tracks = new Map(message.tracks.map((track) => [track.id, track]));
    this.#replay.clear();
    const otherTimeline = last && (last.stream !== message.stream || last.instance !== message.instance);
    if (otherTimeline) this.#newTimeline();
    else if (last) this.#pilot.newEpoch();
    if (this.#media.open) this.#configure();
  }

  /** The source broke off: that nothing comes is no fault of the network. */
  interrupted(): void {
    this.#pilot.excuse();
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
    this.#pilot.steering.arrived(kind, fragment.decodeTimeTicks / track.timescale, duration);
    if (kind === "video") this.#sawPicture(kept);
    if (!this.#accept(kind, track)) return;
    this.#standIn.lead(fragment, kept, track);
    this.#append(kept);
  }

  /** The viewer sought, and the server agreed. */
  sought(time: Seconds): void {
    this.#pilot.goTo(time);
  }

  /** What comes next starts at the live edge. */
  rejoin(): void {
    this.#pilot.rejoin();
  }

  sample(sample: PlayheadSample): void {
    if (sample.generation !== this.#media.generation) return;
    this.meter.quality(sample);
    this.#pilot.sample(sample);
  }

  frame(frame: ShownFrame): void {
    if (frame.generation !== this.#media.generation) return;
    const captured = this.#captured.at(frame.time);
    const offset = this.#serverOffset();
    const latency = captured === undefined || offset === undefined ? undefined : frame.at + offset - captured;
    this.meter.frame(frame, latency);
    if (latency !== undefined) this.#pilot.steering.measured(latency / 1000 - this.gap);
  }

  /** Says whether sound goes through a graph of Web Audio. */
  set graph(graph: boolean) {
    this.#pilot.steering.graph = graph;
  }

  /** The element failed. */
  mediaError(generation: number, message: string): void {
    if (generation === this.#media.generation) this.#broke(`media element: ${message}`);
  }

  /** Makes the MediaSource anew and shows the present picture in it, unless that was just done. */
  rebuild(cause: string): void {
    if (!this.#pilot.mayRebuild()) return;
    this.#recovered("rebuild", cause);
    this.#renew();
  }

  /** The MediaSource is of no use any more: makes it anew, now or as soon as that may be done. */
  #broke(cause: string): void {
    this.#broken = cause;
    this.rebuild(cause);
  }

  get #kinds(): readonly Kind[] {
    return [...this.#playing.keys()];
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
    this.#pilot.take(media);
    this.#events.attach(media);
    return media;
  }

  #newTimeline(): void {
    this.#captured.clear();
    this.#standIn.newTimeline();
    this.#trimmer.reset();
    if (this.#media.tracks.size > 0) this.#renew();
  }

  #renew(): void {
    const time = this.#wishes.live ? undefined : this.playhead.time;
    this.#media.close();
    this.#broken = undefined;
    this.#playing = new Map();
    this.#standIn.renew();
    this.#media = this.#attach(this.#media.generation + 1);
    if (time !== undefined) this.#events.starved(time);
  }

  /** Fits the MediaSource to the tracks of the epoch. */
  #configure(): void {
    if (!this.#started) return;
    const sound = this.#wishes.sound || this.#playing.has("audio");
    const picture = this.#wishes.picture || this.#playing.has("video");
    const { chosen, undecodable } = choose(this.#started.tracks, { video: picture, audio: sound });
    if (this.#media.tracks.size === 0) {
      if (!this.#declare(chosen)) return;
    } else if (sameKinds(chosen, this.#playing)) {
      for (const [kind, track] of chosen) this.#reinitialize(kind, track);
      this.#play(chosen);
    } else {
      this.#recovered("rebuild", `the stream now has ${[...chosen.keys()].join(" and ") || "nothing to play"}`);
      return this.#renew();
    }
    this.#undecodable = undecodable;
    this.#tell();
  }

  /** Tells what plays now. */
  #tell(): void {
    this.#events.tracks(this.#playing, this.#undecodable);
  }

  #declare(chosen: ReadonlyMap<Kind, Track>): boolean {
    if (chosen.size > 0) {
      try {
        this.#media.declare(chosen);
      } catch (error) {
        this.#broke(`add source buffer: ${error}`);
        return false;
      }
    }
    this.#play(chosen);
    if (this.#wishes.live) this.#pilot.rejoin();
    const kept = this.#replay.fragments(this.#kinds);
    if (kept.length === 0 && this.#media.generation > 1 && this.#wishes.live) this.#events.starved(undefined);
    for (const fragment of kept) this.#append(fragment);
    return true;
  }

  #play(tracks: ReadonlyMap<Kind, Track>): void {
    this.#playing = tracks;
    this.#standIn.tracks = tracks;
    this.#pilot.kinds = this.#kinds;
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
      this.#play(new Map(this.#playing).set(kind, track));
      this.#tell();
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
    this.#pilot.appending(kind, start, end, behind);
    this.#media.tracks.get(kind)?.append(payload);
    this.#standIn.follow(fragment);
  }

  /** Appends a picture that stands for those that are not sent. */
  #show(picture: Kept): void {
    this.#trimmer.keyframe(picture.start);
    this.#append(picture);
  }

  #sawPicture(picture: Kept): void {
    const { start, keyframe, captured } = picture;
    this.#captured.add(start, captured);
    if (keyframe) this.#trimmer.keyframe(start);
    const missing = this.#standIn.pictureCame(picture);
    if (missing > hole && this.#wishes.live && !this.#pilot.joining) this.rejoin();
  }

  #failed(track: TrackBuffer, operation: Operation, error: unknown): void {
    const cause = `${operation.label}: ${error instanceof Error ? `${error.name}: ${error.message}` : error}`;
    const full = error instanceof DOMException && error.name === "QuotaExceededError";
    const cut = full ? this.#trimmer.urgent(this.playhead.time ?? 0, track.kind) : undefined;
    if (cut !== undefined) {
      this.#recovered("trim", cause);
      track.retryAfterRemoving(operation, cut);
    } else {
      this.#broke(cause);
    }
  }

  #recovered(action: RecoveryAction, cause: string): void {
    const recovery: Recovery = { action, cause, at: now() };
    this.meter.remember("recoveries", recovery);
    this.#events.recovery(recovery);
  }

  #tick(): void {
    if (this.#broken !== undefined) return this.rebuild(this.#broken);
    if (!this.#media.open) return;
    this.#pilot.tick();
    const { time } = this.playhead;
    const cut = time === undefined ? undefined : this.#trimmer.due(now(), time);
    if (cut !== undefined) for (const track of this.#media.tracks.values()) track.remove(0, cut);
  }
}
