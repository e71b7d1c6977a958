import type { PlayheadSample } from "../engine/playhead.ts";
import type { ToHost, ToPage } from "../host/messages.ts";
import { type Millis, type Moment, now, type Seconds } from "../units.ts";
import { Speaker } from "./speaker.ts";
import { Still } from "./still.ts";

/** How often the playhead is told when no event tells it. */
const sampleEvery: Millis = 100;
/** A browser pauses and seeks by itself around these events; each is told at once. */
const sampleOn = ["playing", "waiting", "seeking", "seeked", "pause", "loadeddata", "canplay", "stalled"] as const;

const haveCurrentData = 2;

/** The browser's answer to playing: allowed, or without sound only, or refused. */
type Answer = "sound" | "muted" | "blocked";

/** Whoever stands behind a screen. */
export interface ScreenEvents {
  send(message: ToHost): void;
  allowed(how: Answer): void;
  /** The browser paused by itself: headphones were pulled out, or a media key was pressed. */
  paused(): void;
}

/** Does to the video element what the host says, and tells the host how it plays. */
export class Screen {
  readonly video: HTMLVideoElement;
  #events: ScreenEvents;
  #allowed: Answer | undefined;
  readonly #still: Still;
  readonly #speaker: Speaker;
  readonly #abort = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  #generation = 0;
  #seeks = 0;
  #wanted = false;
  #muted = false;
  #mutedByBrowser = false;
  #volume = 1;
  #soundFrom: Seconds | undefined;
  #frameRequest: number | undefined;
  #pausing = false;

  constructor(video: HTMLVideoElement, events: ScreenEvents) {
    this.video = video;
    this.#events = events;
    this.#still = new Still(video);
    this.#speaker = new Speaker(video);
    video.disableRemotePlayback = true; // ManagedMediaSource asks for it
    const { signal } = this.#abort;
    for (const type of sampleOn) video.addEventListener(type, () => this.#sample(), { signal });
    video.addEventListener("error", () => this.#failed(), { signal });
    video.addEventListener("pause", () => this.#pausedItself(), { signal });
    this.#timer = setInterval(() => this.#sample(), sampleEvery);
    this.#nextFrame();
  }

  close(): void {
    this.#abort.abort();
    clearInterval(this.#timer);
    if (this.#frameRequest !== undefined) this.video.cancelVideoFrameCallback?.(this.#frameRequest);
    this.#still.hide();
    this.#wanted = false;
    this.video.removeAttribute("src");
    this.video.srcObject = null;
    this.video.load();
  }

  /** Another one stands behind it from now on, who is told whether playing was allowed. */
  handTo(events: ScreenEvents): void {
    this.#events = events;
    if (this.#allowed) events.allowed(this.#allowed);
  }

  /** Does what the host says; false where that is not for the screen. */
  obey(message: ToPage): boolean {
    if (message.type === "attach") this.#attach(message);
    else if (message.type === "seek") this.#seek(message.time);
    else if (message.type === "rate") this.video.playbackRate = message.rate;
    else if (message.type === "soundfrom") this.#keepSoundOff(message.time);
    else return false;
    return true;
  }

  /** Whether there is a picture. */
  get shows(): boolean {
    return this.video.readyState >= haveCurrentData;
  }

  get mutedByBrowser(): boolean {
    return this.#mutedByBrowser;
  }

  #attach({ generation, source, graph }: ToPage & { readonly type: "attach" }): void {
    const video = this.video;
    this.#speaker.wanted = graph;
    if (this.#generation > 0) this.#still.show();
    this.#generation = generation;
    this.#seeks = 0;
    this.#soundFrom = undefined;
    if (typeof MediaSourceHandle !== "undefined" && source instanceof MediaSourceHandle) {
      video.srcObject = source as unknown as MediaProvider; // lib.dom does not know that it is one
    } else {
      const url = URL.createObjectURL(source as MediaSource);
      video.srcObject = null;
      video.src = url;
      video.addEventListener("loadedmetadata", () => URL.revokeObjectURL(url), { once: true });
    }
    // Correcting the pitch of a rate of 1.05 costs pops and time; nobody hears it missing.
    video.preservesPitch = false;
    this.#applySound();
    if (this.#wanted) void this.#play();
  }

  #seek(time: Seconds): void {
    this.#seeks++;
    this.video.currentTime = time;
    this.#sample();
  }

  /** Keeps sound off until the playhead is at time: what lies before it is filling. */
  #keepSoundOff(time: Seconds): void {
    this.#soundFrom = time;
    this.#applySound();
  }

  setSound(volume: number, muted: boolean): void {
    this.#volume = volume;
    this.#muted = muted;
    this.#applySound();
  }

  /** Switches sound on that the browser had refused; to be called from a click. */
  allowSound(): void {
    this.#mutedByBrowser = false;
    this.#applySound();
  }

  /** Plays or pauses, as the server said. */
  want(playing: boolean): void {
    const changed = playing !== this.#wanted;
    this.#wanted = playing;
    if (playing && (changed || this.video.paused)) void this.#play();
    else if (!playing && !this.video.paused) this.#pause();
  }

  /** Tries once more after a refusal; to be called from a click. */
  retry(): void {
    this.#wanted = true;
    void this.#play();
  }

  async #play(): Promise<void> {
    if (this.#generation === 0) return; // attach plays
    try {
      await this.video.play();
      this.#answer(this.#mutedByBrowser ? "muted" : "sound");
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError" || !this.#wanted) return;
      if (this.video.muted) return this.#answer("blocked");
      this.#mutedByBrowser = true;
      this.#applySound();
      this.#events.send({ type: "muted", cause: error.message });
      await this.#play();
    }
  }

  #answer(how: Answer): void {
    this.#allowed = how;
    this.#events.allowed(how);
  }

  #pause(): void {
    this.#pausing = true;
    this.video.pause();
  }

  #pausedItself(): void {
    const own = this.#pausing;
    this.#pausing = false;
    // Attaching pauses, too; and hidden pages are paused by the browser for a while.
    if (own || !this.#wanted || document.hidden || !this.shows || this.video.ended) return;
    this.#events.paused();
  }

  #applySound(): void {
    const waiting = this.#soundFrom !== undefined && this.video.currentTime < this.#soundFrom;
    if (!waiting) this.#soundFrom = undefined;
    this.video.muted = this.#muted || this.#mutedByBrowser;
    this.video.volume = waiting ? 0 : this.#volume;
  }

  #sample(): void {
    const video = this.video;
    if (this.#generation === 0) return;
    if (this.#soundFrom !== undefined) this.#applySound();
    if (this.#speaker.connect()) this.#events.send({ type: "graph", graph: true });
    const quality = video.getVideoPlaybackQuality?.();
    const sample: PlayheadSample = {
      at: now(),
      generation: this.#generation,
      seeks: this.#seeks,
      time: video.currentTime,
      rate: video.playbackRate,
      paused: video.paused,
      seeking: video.seeking,
      readyState: video.readyState,
      decoded: quality?.totalVideoFrames ?? 0,
      dropped: quality?.droppedVideoFrames ?? 0,
    };
    this.#events.send({ type: "playhead", sample });
  }

  #nextFrame(): void {
    this.#frameRequest = this.video.requestVideoFrameCallback?.((_, metadata) => {
      this.#frame(metadata);
      this.#nextFrame();
    });
  }

  #frame({ mediaTime, expectedDisplayTime, presentedFrames }: VideoFrameCallbackMetadata): void {
    this.#still.hide();
    const at: Moment = performance.timeOrigin + expectedDisplayTime;
    const frame = { generation: this.#generation, time: mediaTime, at, count: presentedFrames };
    this.#events.send({ type: "frame", frame });
  }

  #failed(): void {
    const { error } = this.video;
    if (!error || this.#generation === 0) return;
    const message = `code ${error.code}${error.message ? `: ${error.message}` : ""}`;
    this.#events.send({ type: "mediaerror", generation: this.#generation, message });
  }
}
