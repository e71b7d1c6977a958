import { FramewireError } from "../client/errors.ts";
import { mediaSourceClass } from "../client/media-source.ts";
import type { ChosenTracks, SessionState, Settings, StreamInfo } from "../client/types.ts";
import type { CommandCall, LiveRange, MediaInfo, OpenOptions, ToPage } from "../host/messages.ts";
import { type HostLink, spawn } from "../host/spawn.ts";
import type { FailureReason, PlayerStatus, Stats } from "../status.ts";
import { nameOf } from "../wire/index.ts";
import { CommandDesk } from "./commands.ts";
import { startedEarly, takeEarly } from "./early.ts";
import { Screen, type ScreenEvents } from "./screen.ts";
import { noFacts, sameStatus, statusOf } from "./status.ts";

const haveFutureData = 3;

export type Token = string | (() => string | Promise<string>);

/** What the element says when a connection is opened. */
export interface Source {
  /** May throw where it is no URL. */
  readonly url: () => URL;
  readonly settings: Settings;
  readonly token: Token | undefined;
  readonly worker: boolean;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: DOMException) => void;
}

/**
 * Stands between the element and the host: opens and closes it, sends what is
 * asked for, and keeps what is told. Every change of what it keeps is followed
 * by an event.
 */
export class Controller {
  readonly #video: HTMLVideoElement;
  readonly #dispatch: (type: string, detail?: unknown) => void;
  readonly #source: () => Source;
  readonly #commands = new CommandDesk();
  #host: HostLink | undefined;
  #screen: Screen | undefined;
  #facts = noFacts();
  #waiters: Waiter[] = [];
  #token: Token | undefined;
  /** Kept for the next host. */
  #chosenTracks: ChosenTracks | undefined;

  status: PlayerStatus = { kind: "idle" };
  stats: Stats | undefined;
  media: MediaInfo | undefined;
  range: LiveRange | undefined;
  paused = true;
  seeking = false;
  /** As the server has it, or as set before there was one. */
  sound: { readonly volume: number; readonly muted: boolean } | undefined;

  constructor(video: HTMLVideoElement, dispatch: (type: string, detail?: unknown) => void, source: () => Source) {
    this.#video = video;
    this.#dispatch = dispatch;
    this.#source = source;
  }

  get open(): boolean {
    return this.#host !== undefined;
  }
  get session(): SessionState | undefined {
    return this.#facts.session;
  }
  get undecodable() {
    return this.#facts.undecodable;
  }
  get failure() {
    return this.#facts.failure;
  }
  get ended() {
    return this.#facts.ended;
  }
  get mutedByBrowser(): boolean {
    return this.#screen?.mutedByBrowser ?? false;
  }

  /** Resolves when it plays or waits for the stream; rejects when it is not going to. */
  play(): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject }));
    this.begin();
    return promise;
  }

  /** Opens, or goes on after whatever keeps it from playing. */
  begin(): void {
    if (!this.#host) return this.#open();
    const { session, ended, blocked, resting } = this.#facts;
    if (blocked) {
      this.#facts.blocked = false;
      this.#host.send({ type: "blocked", blocked: false });
      this.#screen?.retry();
    }
    const playback = session && nameOf("Playback", session.playback);
    if (ended || playback === "stopped") {
      const stream = this.#source().url().searchParams.get("stream") ?? ended?.stream;
      if (stream) this.ask({ name: "play", args: [stream] });
    } else if (playback === "paused" && !resting) {
      this.ask({ name: "resume", args: [{ live: !this.media?.window }] });
    }
    this.update();
  }

  pause(): void {
    if (!this.#host) return;
    this.#settle(new DOMException("pause was called", "AbortError"));
    this.ask({ name: "pause", args: [] });
  }

  /** Sends a command; a refusal becomes a commanderror event. */
  ask(call: CommandCall): void {
    this.command(call).catch((error: unknown) => {
      this.seeking = false;
      this.#dispatch("commanderror", error);
    });
  }

  command(call: CommandCall): Promise<readonly StreamInfo[]> {
    const host = this.#host;
    if (!host) return Promise.reject(new FramewireError("not_connected", "the player was not started"));
    if (call.name === "seek" || call.name === "goLive") this.#setSeeking();
    return this.#commands.ask(call, (message) => host.send(message));
  }

  /** Gives another token, to the open session as well. */
  renew(token: Token): void {
    if (!this.#host) return; // opening asks for it
    this.#token = token;
    this.#host.send({ type: "renew" });
  }

  reconnect(): void {
    this.#host?.send({ type: "reconnect" });
  }

  visibility(visible: boolean): void {
    this.#host?.send({ type: "visible", visible });
    if (visible && !this.#host && this.#facts.opened) this.#open();
  }

  setSound(sound: { readonly volume: number; readonly muted: boolean }): void {
    const before = this.sound;
    this.sound = sound;
    this.#screen?.setSound(sound.volume, sound.muted);
    if (before?.volume !== sound.volume || before?.muted !== sound.muted) this.#dispatch("volumechange");
  }

  /** Switches sound on that the browser refused; true if the server sends it already. */
  allowSound(): boolean {
    this.#screen?.allowSound();
    this.#dispatch("volumechange");
    return this.#facts.session?.muted === false;
  }

  close(): void {
    this.#host?.send({ type: "close" });
    this.#host?.close();
    this.#host = undefined;
    this.#screen?.close();
    this.#screen = undefined;
    this.#commands.rejectAll(new FramewireError("closed", "the player was closed"));
    this.#facts = noFacts();
    this.media = this.range = this.stats = undefined;
    this.seeking = false;
    this.#dispatch("emptied");
    this.update();
  }

  /** Brings paused and status up to date, each with its event. */
  update(): void {
    const facts = this.#facts;
    const video = this.#video;
    facts.moving = !video.paused && !video.seeking && video.readyState >= haveFutureData;
    this.#follow();
    const status = statusOf(facts);
    if (!sameStatus(status, this.status)) {
      this.status = status;
      this.#dispatch("statuschange", status);
      if (status.kind === "playing" || status.kind === "waiting") this.#settle();
      else if (status.kind === "blocked") {
        this.#settle(new DOMException("the browser refuses to play without a click", "NotAllowedError"));
      } else if (status.kind === "failed") this.#settle(new DOMException(status.message, "NotSupportedError"));
    }
  }

  seeked(): void {
    if (!this.seeking || this.#video.seeking) return;
    this.seeking = false;
    this.#dispatch("seeked");
  }

  #open(): void {
    this.#facts = { ...noFacts(), opened: true };
    const hidden = document.hidden && !document.pictureInPictureElement;
    // Browsers do not open a MediaSource in a page that was never seen; visibility comes back to this.
    if (hidden && !startedEarly()) return this.update();
    if (!mediaSourceClass()) return this.#fail("no_media_source", "This browser has no Media Source Extensions.");
    const source = this.#source();
    let url: URL;
    try {
      url = source.url();
    } catch (error) {
      return this.#fail("invalid_source", error instanceof Error ? error.message : String(error));
    }
    this.#token = source.token;
    const { settings } = source;
    const options: OpenOptions = {
      url: url.href,
      settings,
      chosenTracks: this.#chosenTracks,
      hasToken: source.token !== undefined,
      visible: true,
    };
    const receive = (message: ToPage) => {
      if (this.#host === host) this.#receive(message);
    };
    const early = source.worker ? takeEarly(this.#video, options) : undefined;
    const host: HostLink = spawn(receive, source.worker, options, early);
    this.#host = host;
    const behind: ScreenEvents = {
      send: (message) => host.send(message),
      allowed: (how) => this.#allowed(how),
      paused: () => this.pause(),
    };
    this.#screen = early?.screen ?? new Screen(this.#video, behind);
    this.#screen.handTo(behind);
    this.#screen.setSound(settings.volume, settings.muted);
    if (hidden) this.visibility(false);
    if (early?.paused) this.pause();
    this.#dispatch("loadstart");
    this.update();
  }

  #receive(message: ToPage): void {
    const facts = this.#facts;
    switch (message.type) {
      case "attach":
      case "seek":
      case "rate":
      case "soundfrom":
        return void this.#screen?.obey(message);
      case "token":
        return void this.#giveToken();
      case "answer":
        return this.#commands.answer(message.id, message.failure, message.streams ?? []);
      case "connection":
        // While another attempt is under way, why it has to be made is still the news.
        if (message.state.phase === "connecting" && message.state.attempt > 1) return;
        facts.connection = message.state;
        return this.update();
      case "session":
        facts.session = message.session;
        facts.resting = message.resting;
        this.setSound({ volume: message.session.volume, muted: message.session.muted });
        return this.update();
      case "settings":
        return this.setSound(message.settings);
      case "chosen":
        this.#chosenTracks = message.tracks;
        return;
      case "media":
        return this.#setMedia(message.media);
      case "range":
        this.range = message.range;
        return this.#dispatch("seekablechange");
      case "waiting":
        facts.waiting = message.waiting;
        return this.update();
      case "ended":
        // The end of the stream before is no news once another is chosen.
        facts.ended = message.ended.reason === "switched" ? undefined : message.ended;
        facts.waiting = undefined;
        if (facts.ended) this.#dispatch("ended");
        return this.update();
      case "stats":
        this.stats = message.stats;
        return this.#dispatch("statschange", message.stats);
      case "failed":
        return this.#fail(message.reason, message.message);
      case "recovery":
        return this.#dispatch("recovery", message.recovery);
      case "gap":
        return this.#dispatch("gap", message.gap);
      case "notice":
        return this.#dispatch("notice", message.notice);
      case "streams":
        return this.#dispatch("streamschange", message.streams);
      default:
        message satisfies never;
    }
  }

  /** Plays or pauses the element as the server has it. */
  #follow(): void {
    const { session, resting, ended, failure, opened } = this.#facts;
    const playback = session && nameOf("Playback", session.playback);
    const going = playback === "playing" || playback === "waiting" || resting;
    const paused = !opened || !going || ended !== undefined || failure !== undefined;
    // Playing is asked for early: the browser's refusal, too, comes early then.
    const wanted = opened && !ended && !failure && playback !== "paused" && playback !== "stopped" && !resting;
    this.#screen?.want(wanted && !this.#facts.blocked);
    if (paused === this.paused) return;
    this.paused = paused;
    this.#dispatch(paused ? "pause" : "play");
  }

  #setMedia(media: MediaInfo): void {
    const before = this.media;
    this.media = media;
    this.#facts.undecodable = media.undecodable;
    this.#facts.waiting = this.#facts.ended = this.#facts.failure = undefined;
    if (!before) this.#dispatch("streamtypechange");
    if (before?.window !== media.window) this.#dispatch("targetlivewindowchange");
    this.#dispatch("trackschange");
    this.update();
  }

  #allowed(how: "sound" | "muted" | "blocked"): void {
    const blocked = how === "blocked";
    if (blocked !== this.#facts.blocked) {
      this.#facts.blocked = blocked;
      this.#host?.send({ type: "blocked", blocked });
    }
    if (how === "muted") this.#dispatch("volumechange");
    this.update();
  }

  #setSeeking(): void {
    if (this.seeking) return;
    this.seeking = true;
    this.#dispatch("seeking");
  }

  #fail(reason: FailureReason, message: string): void {
    this.#facts.failure = { reason, message };
    this.update();
    this.#dispatch("error");
  }

  async #giveToken(): Promise<void> {
    const token = typeof this.#token === "function" ? await this.#token() : (this.#token ?? "");
    this.#host?.send({ type: "token", token });
  }

  #settle(error?: DOMException): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve, reject } of waiters) error ? reject(error) : resolve();
  }
}
