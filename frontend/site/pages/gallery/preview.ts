// The stream itself in a card, while the pointer or the focus rests on it.

import { type StreamName, socketUrl } from "../../lib/stream-name.ts";

/** Registers `<framewire-video>`. Not a part of this page's scripts: most visits never need it. */
const PLAYER = "/player.js";
/** How long a pointer rests before the preview starts: passing over starts none. */
const REST_MS = 400;
/** Previews that may play in place of pictures at once; each is a viewer to the server. */
const MAX_STAND_INS = 4;

/** Whether the visitor has said not to spend data or motion on decoration. */
function unwanted(): boolean {
  const connection = (navigator as { connection?: { saveData?: boolean } }).connection;
  return matchMedia("(prefers-reduced-motion: reduce)").matches || connection?.saveData === true;
}

/** Plays one stream, silent, in a frame for as long as somebody points at its link. */
export class Preview {
  static #standIns = 0;

  #video: HTMLElement | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #enabled = false;
  #pointedAt = false;
  #standsIn = false;
  readonly #end = new AbortController();

  constructor(
    link: HTMLElement,
    private readonly frame: HTMLElement,
    private readonly stream: StreamName,
  ) {
    const point = (at: boolean) => {
      this.#pointedAt = at;
      this.#update();
    };
    const { signal } = this.#end;
    link.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && point(true), { signal });
    link.addEventListener("pointerleave", () => point(false), { signal });
    link.addEventListener("focus", () => link.matches(":focus-visible") && point(true), { signal });
    link.addEventListener("blur", () => point(false), { signal });
  }

  /** Whether there is anything to play. */
  set enabled(enabled: boolean) {
    this.#enabled = enabled;
    this.#update();
  }

  /**
   * Whether to play without being pointed at, in place of a picture that the
   * server cannot make. A few may; the rest keep their placeholder.
   */
  set standIn(wanted: boolean) {
    const standsIn = wanted && (this.#standsIn || Preview.#standIns < MAX_STAND_INS);
    Preview.#standIns += Number(standsIn) - Number(this.#standsIn);
    this.#standsIn = standsIn;
    this.#update();
  }

  /** Stops for good. */
  close(): void {
    this.#end.abort();
    this.#pointedAt = false;
    this.standIn = false;
  }

  #update(): void {
    const wanted = this.#enabled && (this.#pointedAt || this.#standsIn) && !unwanted();
    if (!wanted) this.#stop();
    else if (this.#timer === undefined)
      this.#timer = setTimeout(() => void this.#start(), this.#standsIn ? 0 : REST_MS);
  }

  async #start(): Promise<void> {
    const timer = this.#timer;
    await import(/* @vite-ignore */ PLAYER);
    if (this.#timer !== timer) return; // it was stopped meanwhile
    const video = document.createElement("framewire-video");
    for (const name of ["muted", "autoplay", "playsinline"]) video.setAttribute(name, "");
    video.setAttribute("src", socketUrl(location.origin, this.stream));
    this.#video = video;
    this.frame.append(video);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#video?.remove();
    this.#video = undefined;
  }
}
