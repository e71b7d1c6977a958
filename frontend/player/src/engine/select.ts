import { mediaSourceClass } from "../client/media-source.ts";
import type { Track } from "../client/types.ts";
import type { UndecodableTrack } from "../status.ts";
import { nameOf } from "../wire/index.ts";
import type { Kind } from "./track.ts";

/** Whether a track carries pictures or sound. */
export function kindOf(track: Track): Kind {
  return nameOf("TrackKind", track.kind) === "audio" ? "audio" : "video";
}

/** Picks the first track of each wanted kind that can be decoded here, and lists those that cannot. */
export function choose(
  tracks: readonly Track[],
  wanted: Readonly<Record<Kind, boolean>>,
): { chosen: ReadonlyMap<Kind, Track>; undecodable: UndecodableTrack[] } {
  const chosen = new Map<Kind, Track>();
  const undecodable: UndecodableTrack[] = [];
  for (const track of tracks) {
    const kind = kindOf(track);
    if (!isDecodable(track.mimeType)) undecodable.push({ kind, codec: track.codec });
    else if (wanted[kind] && !chosen.has(kind)) chosen.set(kind, track);
  }
  return { chosen, undecodable };
}

export function sameKinds(a: ReadonlyMap<Kind, unknown>, b: ReadonlyMap<Kind, unknown>): boolean {
  return a.size === b.size && [...a.keys()].every((kind) => b.has(kind));
}

const answers = new Map<string, boolean>();

function isDecodable(type: string): boolean {
  let answer = answers.get(type);
  if (answer === undefined) answers.set(type, (answer = mediaSourceClass()?.isTypeSupported(type) ?? false));
  return answer;
}
