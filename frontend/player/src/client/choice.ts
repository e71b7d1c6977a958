import { nameOf } from "../wire/index.ts";
import type { Chosen, ChosenTracks, StreamStarted, Track, TrackChoice } from "./types.ts";

const kinds = ["video", "audio"] as const;

/**
 * What the viewer chose of the tracks, to be asked for again where the server
 * does not know: in another session, and of another stream.
 */
export class Choice {
  #made: ChosenTracks;

  /** @param made what was chosen in another client */
  constructor(made: ChosenTracks = {}) {
    this.#made = made;
  }

  get made(): ChosenTracks {
    return this.#made;
  }

  /** Whether these are tracks of the stream, or none. */
  fits({ video, audio }: TrackChoice, of: StreamStarted | undefined): boolean {
    return [video, audio].every((id) => !id || of?.tracks.some((track) => track.id === id));
  }

  /** The viewer chose these tracks of a stream. */
  make(tracks: TrackChoice, of: StreamStarted | undefined): void {
    for (const kind of kinds) {
      const id = tracks[kind];
      if (id !== undefined) this.#made = { ...this.#made, [kind]: chosen(id, of) };
    }
  }

  /** What has to be asked for of a stream of which nothing was; undefined where nothing has to be. */
  of(stream: StreamStarted): TrackChoice | undefined {
    const tracks: { video?: number; audio?: number } = {};
    for (const kind of kinds) {
      const all = stream.tracks.filter((track) => nameOf("TrackKind", track.kind) === kind);
      const id = all.length > 0 ? idOf(this.#made[kind], all, stream.stream) : undefined;
      // The first one is what the server sends anyway.
      if (id !== undefined && id !== all[0]?.id) tracks[kind] = id;
    }
    return Object.keys(tracks).length > 0 ? tracks : undefined;
  }
}

function chosen(id: number, of: StreamStarted | undefined): Chosen | undefined {
  if (id === 0) return "none";
  const language = of?.tracks.find((track) => track.id === id)?.language ?? "";
  return of && { stream: of.stream, id, language };
}

/** The track that was chosen, or in its place one of the same language. */
function idOf(wanted: Chosen | undefined, tracks: readonly Track[], stream: string): number | undefined {
  if (wanted === undefined) return undefined;
  if (wanted === "none") return 0;
  const same = wanted.stream === stream && tracks.find((track) => track.id === wanted.id);
  return (same || tracks.find(({ language }) => language !== "" && language === wanted.language))?.id;
}
