// What the page says about how the stream stands.

import type { PublishState } from "@framewire/player/publish";

export type Tone = "idle" | "busy" | "live" | "trouble";

export interface Verdict {
  readonly tone: Tone;
  /** A word for the badge. */
  readonly badge: string;
  /** What the visitor should know or do, or empty. */
  readonly text: string;
}

type EndReason = Extract<PublishState, { phase: "ended" }>["reason"];

/** Reasons that the visitor can do something about; the server's own words follow for the others. */
const ENDS: Partial<Readonly<Record<EndReason, string>>> = {
  bad_key: "The stream key is missing or wrong. Enter the key for this stream, or a token, and go live again.",
  bad_name: "No stream can have this name.",
  unknown_stream: "This server lets nobody publish a stream of this name. Ask its operator for the right one.",
  closed: "This server takes no publishers. Its operator can allow them, with a stream key.",
  taken_over: "Somebody else went live on this stream and took it over.",
  removed: "The operator of this server ended the stream.",
  kicked: "The operator of this server ended the stream.",
  limit: "The stream is larger than this server allows. Choose a smaller picture.",
  unauthorized: "This server wants an access token.",
  token_expired: "The access token has expired.",
};

const TRIES: Partial<Readonly<Record<EndReason, string>>> = {
  stream_busy: "Somebody else is live on this stream. Waiting for it to become free.",
  too_many_publishers: "The server has as many publishers as it may. Waiting for a place.",
  too_many_attempts: "Too many wrong stream keys came from this address. Trying again in a while.",
  shutting_down: "The server is restarting. The stream goes on by itself.",
  restarting: "The server is restarting. The stream goes on by itself.",
};

/** Says how a publication stands. */
export function verdictOf(state: PublishState | undefined): Verdict {
  switch (state?.phase) {
    case undefined:
      return { tone: "idle", badge: "Preview", text: "" };
    case "connecting":
      return { tone: "busy", badge: "Connecting", text: "" };
    case "live":
      return { tone: "live", badge: "LIVE", text: "" };
    case "reconnecting":
      return {
        tone: "trouble",
        badge: "Reconnecting",
        text: TRIES[state.reason] ?? "The connection to the server broke. The stream goes on as soon as it is back.",
      };
    case "ended":
      if (state.reason === "finished" || state.reason === "requested")
        return { tone: "idle", badge: "Preview", text: "" };
      return {
        tone: "trouble",
        badge: "Ended",
        text: ENDS[state.reason] ?? `The stream ended: ${state.message || state.reason}.`,
      };
    default:
      return state satisfies never;
  }
}
