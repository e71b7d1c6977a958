// Pictures of streams that renew themselves while somebody can see them.

/** How long a picture stands before the next is asked for, unless the page says otherwise. */
const REFRESH_MS = 5_000;
/** The longest pause between tries where the server has no picture to give. */
const MAX_PAUSE_MS = 60_000;

export interface ThumbnailOptions {
  /** How long a picture stands before the next is asked for. */
  readonly refreshMs?: number;
  /** Told whether something else should be shown, because the server has no picture to give. */
  readonly standIn?: (wanted: boolean) => void;
}

/**
 * Shows the newest picture of one stream in a frame. The server is asked only
 * while the stream is live, the frame is in sight and the page is in front, and
 * never twice at once. A picture stays until the next is whole.
 */
export class Thumbnail {
  #image: HTMLImageElement | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #loading = false;
  #failing = false;
  #inSight = false;
  #live = false;
  #pause: number;
  readonly #refreshMs: number;
  readonly #standIn: (wanted: boolean) => void;
  readonly #observer: IntersectionObserver;
  readonly #end = new AbortController();

  constructor(
    private readonly frame: HTMLElement,
    private readonly address: string,
    { refreshMs = REFRESH_MS, standIn = () => {} }: ThumbnailOptions = {},
  ) {
    this.#refreshMs = refreshMs;
    this.#pause = refreshMs;
    this.#standIn = standIn;
    this.#observer = new IntersectionObserver((entries) => {
      this.#inSight = entries.at(-1)?.isIntersecting ?? false;
      this.#update();
    });
    this.#observer.observe(frame);
    document.addEventListener("visibilitychange", () => this.#update(), { signal: this.#end.signal });
  }

  /** Whether there is anything new to show. */
  set live(live: boolean) {
    if (this.#live === live) return;
    this.#live = live;
    this.#pause = this.#refreshMs;
    this.#update();
  }

  /** Stops for good. */
  close(): void {
    this.#end.abort();
    this.#observer.disconnect();
    clearTimeout(this.#timer);
    this.#standIn(false);
  }

  get #wanted(): boolean {
    return this.#live && this.#inSight && !document.hidden && !this.#end.signal.aborted;
  }

  #update(): void {
    clearTimeout(this.#timer);
    this.#standIn(this.#wanted && this.#failing);
    if (this.#wanted && !this.#loading) void this.#refresh();
  }

  async #refresh(): Promise<void> {
    this.#loading = true;
    const next = new Image();
    next.alt = "";
    next.decoding = "async";
    // The time only tells one picture from the next; the server does not read it.
    next.src = `${this.address}?t=${Date.now()}`;
    try {
      await next.decode();
      this.#pause = this.#refreshMs;
      this.#failing = false;
      this.#show(next);
    } catch {
      // No keyframe yet, or a server that cannot make pictures.
      this.#pause = Math.min(this.#pause * 2, MAX_PAUSE_MS);
      this.#failing = true;
    }
    this.#loading = false;
    this.#standIn(this.#wanted && this.#failing);
    if (this.#wanted) this.#timer = setTimeout(() => this.#update(), this.#pause);
  }

  #show(next: HTMLImageElement): void {
    if (this.#end.signal.aborted) return;
    if (this.#image) this.#image.replaceWith(next);
    else this.frame.append(next);
    this.#image = next;
  }
}
