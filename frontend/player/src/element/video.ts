import type { StreamInfo, TrackChoice } from "../client/types.ts";
import { endpoint, type PlainFormat, plainUrl } from "../client/url.ts";
import type { PlayerStatus, Stats, UndecodableTrack } from "../status.ts";
import { type Millis, now, type Seconds } from "../units.ts";
import { MediaElement } from "./base.ts";
import { Controller, type Token } from "./controller.ts";
import { timeRanges } from "./ranges.ts";

/** A seek this near to the end of seekable means live. */
const liveTolerance: Seconds = 0.5;
/** Behind the live edge by no more than this counts as live. */
const liveEdge: Seconds = 1.5;
/** A window shorter than this is no use for seeking. */
const leastWindow: Seconds = 5;

let defaultServer: string | undefined;

/** Sets the server for elements without src; without this it is the page's own. */
export function setDefaultServer(url: string): void {
  defaultServer = url;
}

/**
 * `<framewire-video>`: a live stream as a media element. State follows the
 * server's answers and is never ahead of them.
 */
export class FramewireVideoElement extends MediaElement {
  static override observedAttributes: readonly string[] = [
    ...MediaElement.observedAttributes,
    "src",
    "stream",
    "latency",
    "autoplay",
  ];

  readonly #controller: Controller | undefined;
  #token: Token | undefined;
  #connected: AbortController | undefined;

  constructor() {
    super();
    if (typeof document === "undefined") return;
    const dispatch = (type: string, detail?: unknown) =>
      void this.dispatchEvent(
        detail === undefined ? new Event(type) : new CustomEvent(type, { detail, cancelable: true }),
      );
    this.#controller = new Controller(this.nativeEl, dispatch, () => ({
      url: () => this.#url(),
      settings: { volume: this.volume, muted: this.muted, latencyTargetMs: this.latencyTarget },
      token: this.#token ?? this.getAttribute("token") ?? undefined,
      worker: !this.hasAttribute("no-worker"),
    }));
  }

  get #control(): Controller {
    if (!this.#controller) throw new DOMException("there is no document here", "NotSupportedError");
    return this.#controller;
  }

  connectedCallback(): void {
    if (this.#connected) return; // moved within the page
    this.#connected = new AbortController();
    const { signal } = this.#connected;
    const control = this.#control;
    const video = this.nativeEl;
    // The document itself names only the outermost host of the element that is in the window.
    const inWindow = () => (video.getRootNode() as Document | ShadowRoot).pictureInPictureElement === video;
    const visibility = () => control.visibility(!document.hidden || inWindow());
    document.addEventListener("visibilitychange", visibility, { signal });
    video.addEventListener("enterpictureinpicture", visibility, { signal });
    video.addEventListener("leavepictureinpicture", visibility, { signal });
    addEventListener("online", () => control.reconnect(), { signal }); // workers are not told in all browsers
    for (const type of ["playing", "waiting", "seeking", "timeupdate", "canplay", "pause"]) {
      video.addEventListener(type, () => control.update(), { signal });
    }
    video.addEventListener("seeked", () => control.seeked(), { signal });
    this.#autoplay();
  }

  disconnectedCallback(): void {
    // Moving an element within the page disconnects it, too.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#connected?.abort();
      this.#connected = undefined;
      this.#control.close();
    });
  }

  override attributeChangedCallback(name: string, before: string | null, value: string | null): void {
    super.attributeChangedCallback(name, before, value);
    const control = this.#control;
    if (before === value) return;
    if (name === "latency" && control.open) control.ask({ name: "setLatencyTarget", args: [this.#latencyWanted] });
    else if (name === "stream" && value && control.open) control.ask({ name: "play", args: [value] });
    else if (name === "src" && control.open) this.retry();
    else if (name !== "latency" && !control.open) this.#autoplay();
  }

  // What is asked for.

  get src(): string {
    return this.getAttribute("src") ?? "";
  }
  set src(value: string) {
    this.setAttribute("src", value);
  }
  get currentSrc(): string {
    return this.#control.open ? this.#url().href : "";
  }
  get stream(): string {
    return this.getAttribute("stream") ?? this.#control.media?.stream ?? "";
  }
  set stream(value: string) {
    this.setAttribute("stream", value);
  }
  /** Access token, or what gives one. Set while it plays, it takes the place of the present one. */
  set token(value: Token) {
    this.#token = value;
    this.#controller?.renew(value);
  }
  get autoplay(): boolean {
    return this.hasAttribute("autoplay");
  }
  set autoplay(value: boolean) {
    this.toggleAttribute("autoplay", value);
  }
  get defaultMuted(): boolean {
    return this.hasAttribute("muted");
  }
  set defaultMuted(value: boolean) {
    this.toggleAttribute("muted", value);
  }
  get latency(): string {
    return this.getAttribute("latency") ?? "auto";
  }
  set latency(value: string | number) {
    this.setAttribute("latency", String(value));
  }
  /** Wanted latency as the server has it, 0 for automatic. */
  get latencyTarget(): Millis {
    return this.#control.session?.latencyTargetMs ?? this.#latencyWanted;
  }
  set latencyTarget(value: Millis) {
    this.latency = value > 0 ? value : "auto";
  }

  // What is.

  get status(): PlayerStatus {
    return this.#control.status;
  }
  get stats(): Stats | undefined {
    return this.#control.stats;
  }
  get undecodableTracks(): readonly UndecodableTrack[] {
    return this.#control.undecodable;
  }
  get mutedByBrowser(): boolean {
    return this.#control.mutedByBrowser;
  }
  get isLive(): boolean {
    return this.#control.session?.live ?? true;
  }
  get paused(): boolean {
    return this.#control.paused;
  }
  get ended(): boolean {
    return this.#control.ended !== undefined;
  }
  get seeking(): boolean {
    return this.#control.seeking;
  }
  get duration(): number {
    return this.readyState > 0 ? Number.POSITIVE_INFINITY : Number.NaN;
  }
  get error(): Pick<MediaError, "code" | "message"> | null {
    const { failure } = this.#control;
    return failure ? { code: 4, message: failure.message } : null;
  }
  /** The viewer's rate; the small changes that keep the live edge are nobody's business. */
  get playbackRate(): number {
    return 1;
  }
  /** Controls that were made for recordings set it; live has no other rate. */
  set playbackRate(_: number) {}
  get streamType(): "live" | "unknown" {
    return this.#control.media ? "live" : "unknown";
  }
  get targetLiveWindow(): number {
    const { media } = this.#control;
    if (!media) return Number.NaN;
    return media.window >= leastWindow ? media.window : 0;
  }
  get liveEdgeStart(): number {
    const { seekable } = this;
    return seekable.length > 0 ? Math.max(seekable.start(0), seekable.end(0) - liveEdge) : Number.NaN;
  }
  get seekable(): TimeRanges {
    const { range, media } = this.#control;
    if (!range || !media) return timeRanges();
    const moved = this.paused ? 0 : Math.min(1, (now() - range.at) / 1000);
    return timeRanges(Math.min(range.start, range.end), range.end + moved);
  }

  get currentTime(): number {
    return this.nativeEl.currentTime;
  }
  set currentTime(time: number) {
    const { seekable } = this;
    if (seekable.length === 0) return;
    const live = time >= seekable.end(0) - liveTolerance;
    if (live) this.#control.ask({ name: "goLive", args: [] });
    else this.#control.ask({ name: "seek", args: [Math.max(time, seekable.start(0))] });
  }

  get muted(): boolean {
    return this.mutedByBrowser || (this.#control.sound?.muted ?? this.defaultMuted);
  }
  set muted(muted: boolean) {
    const control = this.#control;
    if (this.mutedByBrowser && !muted && control.allowSound()) return;
    if (control.open) control.ask({ name: "setMuted", args: [muted] });
    else control.setSound({ volume: this.volume, muted });
  }

  get volume(): number {
    return this.#control.sound?.volume ?? 1;
  }
  set volume(volume: number) {
    if (!(volume >= 0 && volume <= 1)) throw new DOMException(`volume ${volume} is not in [0, 1]`, "IndexSizeError");
    if (this.#control.open) this.#control.ask({ name: "setVolume", args: [volume] });
    else this.#control.setSound({ volume, muted: this.muted });
  }

  // What is to be done.

  /** Plays, or goes on. Resolves when it plays or waits for the stream. */
  play(): Promise<void> {
    return this.#control.play();
  }
  /** Asks the server to pause; `pause` fires when it has. */
  pause(): void {
    this.#control.pause();
  }
  async goLive(): Promise<void> {
    await this.#control.command({ name: "goLive", args: [] });
  }
  async stop(): Promise<void> {
    await this.#control.command({ name: "stop", args: [] });
  }
  async requestKeyframe(): Promise<void> {
    await this.#control.command({ name: "requestKeyframe", args: [] });
  }
  async selectTracks(tracks: TrackChoice): Promise<void> {
    await this.#control.command({ name: "selectTracks", args: [tracks] });
  }
  listStreams(): Promise<readonly StreamInfo[]> {
    return this.#control.command({ name: "listStreams", args: [] });
  }
  subscribeStreams(enabled = true): Promise<readonly StreamInfo[]> {
    return this.#control.command({ name: "subscribeStreams", args: [enabled] });
  }
  /** Tries now where an attempt to connect is waited for. */
  reconnect(): void {
    this.#control.reconnect();
  }
  /**
   * Where the stream is over plain HTTP, for what cannot play it as this element
   * does; empty where src is no address or names no stream. A token that is a
   * string goes with it.
   */
  plainUrl(format: PlainFormat): string {
    let url: URL | undefined;
    try {
      url = plainUrl(this.#url(), format);
    } catch {
      return "";
    }
    const token = this.#token ?? this.getAttribute("token");
    if (url && typeof token === "string") url.searchParams.set("token", token);
    return url?.href ?? "";
  }
  /** Starts over, with a new connection. */
  retry(): void {
    this.#control.close();
    this.#control.begin();
  }

  /** Begins if it is to, once all attributes are there. */
  #autoplay(): void {
    queueMicrotask(() => {
      const given = this.hasAttribute("src") || this.hasAttribute("stream");
      if (given && this.autoplay && this.isConnected && !this.#control.open) this.#control.begin();
    });
  }

  get #latencyWanted(): Millis {
    const value = Number(this.getAttribute("latency"));
    return Number.isFinite(value) && value > 0 ? Math.round(value) : 0;
  }

  #url(): URL {
    const url = endpoint(this.src || "/ws", this.src ? document.baseURI : (defaultServer ?? document.baseURI));
    const stream = this.getAttribute("stream");
    if (stream) url.searchParams.set("stream", stream);
    return url;
  }
}
