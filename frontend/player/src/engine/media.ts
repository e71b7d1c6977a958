import type { Track } from "../client/types.ts";
import type { Seconds } from "../units.ts";
import type { Operation } from "./queue.ts";
import { type Kind, TrackBuffer } from "./track.ts";

export interface MediaEvents {
  /** The MediaSource is attached and takes tracks. */
  opened(media: Media): void;
  /** An operation failed; the track stands still. */
  failed(media: Media, track: TrackBuffer, operation: Operation, error: unknown): void;
}

/** ManagedMediaSource of Safari, which lib.dom does not know yet. */
interface ManagedMediaSource extends MediaSource {
  readonly streaming: boolean;
}

/** No timeline is longer: some 68 years. */
const everything: Seconds = 2 ** 31;

type MediaSourceClass = new () => MediaSource;

function mediaSource(): MediaSource {
  const scope = globalThis as { MediaSource?: MediaSourceClass; ManagedMediaSource?: MediaSourceClass };
  // Where both exist, the plain one takes data whenever it comes.
  const Class = scope.MediaSource ?? scope.ManagedMediaSource;
  if (!Class) throw new DOMException("there is no MediaSource here", "NotSupportedError");
  return new Class();
}

/** One MediaSource with its tracks, from attachment to replacement. */
export class Media {
  /** Counts the MediaSources of one player, from 1. */
  readonly generation: number;
  readonly source = mediaSource();
  readonly tracks = new Map<Kind, TrackBuffer>();
  readonly #events: MediaEvents;
  #opened = false;
  #closed = false;

  constructor(generation: number, events: MediaEvents) {
    this.generation = generation;
    this.#events = events;
    this.source.addEventListener("sourceopen", this.#sourceOpen, { once: true });
  }

  get open(): boolean {
    return this.#opened && !this.#closed && this.source.readyState === "open";
  }

  /** Whether the browser wants data now; only ManagedMediaSource ever does not. */
  get streaming(): boolean {
    return (this.source as Partial<ManagedMediaSource>).streaming ?? true;
  }

  /**
   * Declares all tracks, and then appends their init segments: a browser takes
   * no further track once it has seen media.
   *
   * @throws DOMException when the browser refuses one.
   */
  declare(tracks: ReadonlyMap<Kind, Track>): void {
    for (const [kind, track] of tracks) {
      const buffer = this.source.addSourceBuffer(track.mimeType);
      this.tracks.set(
        kind,
        new TrackBuffer(kind, buffer, track.mimeType, (failed, operation, error) => {
          if (!this.#closed) this.#events.failed(this, failed, operation, error);
        }),
      );
    }
    for (const [kind, track] of tracks) this.tracks.get(kind)?.initialize(track.mimeType, track.initSegment);
  }

  /** Where the playable media around time ends: the earliest end of all tracks. */
  endAt(time: Seconds): Seconds | undefined {
    let end: Seconds | undefined;
    for (const track of this.tracks.values()) {
      const range = track.rangeAt(time);
      if (!range) return undefined;
      end = Math.min(end ?? range.end, range.end);
    }
    return end;
  }

  /** The newest range that all tracks share. */
  get newest(): { readonly start: Seconds; readonly end: Seconds } | undefined {
    let start = 0;
    let end = Number.POSITIVE_INFINITY;
    for (const track of this.tracks.values()) {
      const range = track.ranges.at(-1);
      if (!range) return undefined;
      start = Math.max(start, range.start);
      end = Math.min(end, range.end);
    }
    return start < end && end < Number.POSITIVE_INFINITY ? { start, end } : undefined;
  }

  /** Where playing can go on behind a hole after time: where all tracks have media again. */
  after(time: Seconds): Seconds | undefined {
    let start: Seconds | undefined;
    for (const track of this.tracks.values()) {
      const range = track.rangeAt(time);
      // A track that goes on here holds nobody up.
      if (range && range.end > time + 0.1) continue;
      const next = track.nextStart(time);
      if (next === undefined) return undefined;
      start = Math.max(start ?? next, next);
    }
    return start;
  }

  /** Ends it; the element is given another MediaSource. */
  close(): void {
    this.#closed = true;
    this.source.removeEventListener("sourceopen", this.#sourceOpen);
    for (const track of this.tracks.values()) track.close();
  }

  readonly #sourceOpen = (): void => {
    this.#opened = true;
    // Before any track, or Safari ends playback at the edge of what is buffered.
    this.source.duration = Number.POSITIVE_INFINITY;
    // Seeks go where media is about to come; without this Chromium forgets
    // those that come before any media has, and moves the others back.
    this.source.setLiveSeekableRange?.(0, everything);
    this.#events.opened(this);
  };
}
