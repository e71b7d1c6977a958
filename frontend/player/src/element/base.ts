/** HTMLElement, or a class in its place where there is no DOM, so that the module can be imported there. */
export const BaseElement: typeof HTMLElement = globalThis.HTMLElement ?? (class {} as unknown as typeof HTMLElement);

const style = /* css */ `
:host { display: inline-block; position: relative; line-height: 0; background: #000; }
:host([hidden]) { display: none; }
video, canvas { width: 100%; height: 100%; object-fit: var(--media-object-fit, contain); object-position: var(--media-object-position, 50% 50%); }
canvas { position: absolute; inset: 0; pointer-events: none; }
`;

/** The shadow tree, also for pages that hold it from the beginning, as declarative shadow DOM. */
export const mediaTemplate = /* html */ `<style>${style}</style><video part="video" playsinline></video>`;

/** Events of the inner video element that are true of the player, too. */
const forwarded = [
  "loadstart",
  "loadedmetadata",
  "loadeddata",
  "canplay",
  "canplaythrough",
  "playing",
  "waiting",
  "stalled",
  "timeupdate",
  "progress",
  "durationchange",
  "resize",
  "enterpictureinpicture",
  "leavepictureinpicture",
  "webkitbeginfullscreen",
  "webkitendfullscreen",
  "webkitpresentationmodechanged",
] as const;

/** Attributes that are the inner video element's, too. */
const forwardedAttributes = ["poster", "disablepictureinpicture", "controlslist", "crossorigin"] as const;

/**
 * The part of HTMLMediaElement that is the inner video element's alone: what
 * the live player does not change the meaning of.
 */
export class MediaElement extends BaseElement {
  static observedAttributes: readonly string[] = forwardedAttributes;

  readonly #video: HTMLVideoElement | undefined;

  constructor() {
    super();
    if (typeof document === "undefined") return;
    if (!this.shadowRoot) this.attachShadow({ mode: "open" }).innerHTML = mediaTemplate;
    const video = this.shadowRoot?.querySelector("video");
    if (!video) throw new Error("the shadow tree of framewire-video has no video element");
    this.#video = video;
    for (const type of forwarded) {
      video.addEventListener(type, (event) => this.dispatchEvent(new Event(type, { composed: event.composed })));
    }
  }

  attributeChangedCallback(name: string, _before: string | null, value: string | null): void {
    if (!(forwardedAttributes as readonly string[]).includes(name)) return;
    if (value === null) this.#video?.removeAttribute(name);
    else this.#video?.setAttribute(name, value);
  }

  /** The inner video element. */
  get nativeEl(): HTMLVideoElement {
    if (!this.#video) throw new DOMException("there is no document here", "NotSupportedError");
    return this.#video;
  }

  get buffered(): TimeRanges {
    return this.nativeEl.buffered;
  }
  get played(): TimeRanges {
    return this.nativeEl.played;
  }
  get readyState(): number {
    return this.nativeEl.readyState;
  }
  get networkState(): number {
    return this.nativeEl.networkState;
  }
  get videoWidth(): number {
    return this.nativeEl.videoWidth;
  }
  get videoHeight(): number {
    return this.nativeEl.videoHeight;
  }
  get textTracks(): TextTrackList {
    return this.nativeEl.textTracks;
  }
  get poster(): string {
    return this.nativeEl.poster;
  }
  set poster(value: string) {
    this.setAttribute("poster", value);
  }
  get disablePictureInPicture(): boolean {
    return this.hasAttribute("disablepictureinpicture");
  }
  set disablePictureInPicture(value: boolean) {
    this.toggleAttribute("disablepictureinpicture", value);
  }

  requestPictureInPicture(): Promise<PictureInPictureWindow> {
    return this.nativeEl.requestPictureInPicture();
  }
  getVideoPlaybackQuality(): VideoPlaybackQuality {
    return this.nativeEl.getVideoPlaybackQuality();
  }
  requestVideoFrameCallback(callback: VideoFrameRequestCallback): number {
    return this.nativeEl.requestVideoFrameCallback(callback);
  }
  cancelVideoFrameCallback(handle: number): void {
    this.nativeEl.cancelVideoFrameCallback(handle);
  }
  canPlayType(): CanPlayTypeResult {
    return "";
  }
  load(): void {}
}
