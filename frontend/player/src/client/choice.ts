import { nameOf } from "../wire/index.ts";
import type { StreamStarted, Track, TrackChoice } from "./types.ts";

const kinds = ["video", "audio"] as const;

/** A track of a stream, or none of its kind. */
type Chosen = "none" | { readonly stream: string; readonly id: number; readonly language: string };

/**
 * What the viewer chose of the tracks, to be asked for again where the server
 * does not know: in another session, and of another stream.
 */
export class Choice {
  #video: Chosen | undefined;
  #audio: Chosen | undefined;

  /** Whether these are tracks of the stream, or none. */
  fits({ video, audio }: TrackChoice, of: StreamStarted | undefined): boolean {
    return [video, audio].every((id) => !id || of?.tracks.some((track) => track.id === id));
  }

  /** The viewer chose these tracks of a stream. */
  made({ video, audio }: TrackChoice, of: StreamStarted | undefined): void {
    if (video !== undefined) this.#video = chosen(video, of);
    if (audio !== undefined) this.#audio = chosen(audio, of);
  }

  /** What has to be asked for of a stream of which nothing was; undefined where nothing has to be. */
  of(stream: StreamStarted): TrackChoice | undefined {
    const wanted = { video: this.#video, audio: this.#audio };
    const tracks: { video?: number; audio?: number } = {};
    for (const kind of kinds) {
      const all = stream.tracks.filter((track) => nameOf("TrackKind", track.kind) === kind);
      const id = all.length > 0 ? idOf(wanted[kind], all, stream.stream) : undefined;
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
