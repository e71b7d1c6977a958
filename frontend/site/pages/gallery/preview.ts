// The stream itself in a card, while the pointer or the focus rests on it.

import { type StreamName, socketUrl } from "../../lib/stream-name.ts";

/** Registers <framewire-video>. Not a part of this page's scripts: most visits never need it. */
const PLAYER = "/player.js";
/** How long a pointer rests before the preview starts: passing over starts none. */
const REST_MS = 400;

/** Whether the visitor has said not to spend data or motion on decoration. */
function unwanted(): boolean {
  const connection = (navigator as { connection?: { saveData?: boolean } }).connection;
  return matchMedia("(prefers-reduced-motion: reduce)").matches || connection?.saveData === true;
}

/** Plays one stream, silent, in a frame for as long as somebody points at its link. */
export class Preview {
  #video: HTMLElement | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #enabled = false;
  readonly #end = new AbortController();

  constructor(
    link: HTMLElement,
    private readonly frame: HTMLElement,
    private readonly stream: StreamName,
  ) {
    const { signal } = this.#end;
    link.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.#rest(), { signal });
    link.addEventListener("pointerleave", () => this.#stop(), { signal });
    link.addEventListener("focus", () => link.matches(":focus-visible") && this.#rest(), { signal });
    link.addEventListener("blur", () => this.#stop(), { signal });
  }

  /** Whether there is anything to play. */
  set enabled(enabled: boolean) {
    this.#enabled = enabled;
    if (!enabled) this.#stop();
  }

  /** Stops for good. */
  close(): void {
    this.#end.abort();
    this.#stop();
  }

  #rest(): void {
    if (!this.#enabled || unwanted()) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#start(), REST_MS);
  }

  async #start(): Promise<void> {
    const timer = this.#timer;
    await import(/* @vite-ignore */ PLAYER);
    if (this.#timer !== timer || this.#video) return; // the pointer has left meanwhile
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
