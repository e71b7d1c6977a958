import { type Millis, type Moment, now, type Seconds } from "../units.ts";
import type { Kind } from "./track.ts";

/** Capture times farther off than this are of a clock that cannot be trusted. */
const maxBehind: Seconds = 120;
/** A clock that says that a fragment comes from the future is trusted this far. */
const maxAhead: Seconds = 1;

interface Edge {
  readonly first: Seconds;
  edge: Seconds;
}

/**
 * Finds where to put the playhead when playing begins at the live edge. The
 * server sends the newest group of pictures at once; from how old its first
 * fragment is, it follows where that group will end, before it has come.
 */
export class Join {
  readonly #tracks = new Map<Kind, Edge>();
  readonly #kinds: readonly Kind[];
  readonly #behind: Seconds;
  readonly since: Moment = now();
  /** Where the playhead was put, once it was. */
  position: Seconds | undefined;

  /**
   * @param kinds the tracks that have to be there
   * @param behind how far behind the edge to begin
   * @param position where to begin, when that is known: the viewer sought
   */
  constructor(kinds: readonly Kind[], behind: Seconds, position?: Seconds) {
    this.#kinds = kinds;
    this.#behind = behind;
    this.position = position;
  }

  get age(): Millis {
    return now() - this.since;
  }

  /**
   * Takes a fragment's times: behind is how long ago it was captured. Returns
   * where to put the playhead when that has become known.
   */
  fragment(kind: Kind, start: Seconds, end: Seconds, behind: Seconds | undefined): Seconds | undefined {
    if (this.position !== undefined || behind === undefined || behind > maxBehind || behind < -maxAhead)
      return undefined;
    const edge = end + Math.max(0, behind);
    const track = this.#tracks.get(kind);
    if (track) track.edge = Math.max(track.edge, end);
    else this.#tracks.set(kind, { first: start, edge });
    if (this.#kinds.some((needed) => !this.#tracks.has(needed))) return undefined;
    const tracks = [...this.#tracks.values()];
    const first = Math.max(...tracks.map((t) => t.first));
    this.position = Math.max(first, Math.min(...tracks.map((t) => t.edge)) - this.#behind);
    return this.position;
  }
}
