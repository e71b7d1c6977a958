import type { FailureReason, PlayerStatus } from "../status.ts";
import { now } from "../units.ts";

/** What is written over the picture. */
export interface Message {
  readonly title: string;
  readonly text: string;
  /** A turning ring tells that something is being done. */
  readonly busy: boolean;
  readonly action?: { readonly label: string; readonly does: "play" | "retry" | "reconnect" };
  /** What does not play here may play in another form. */
  readonly elsewhere: boolean;
}

const waiting = {
  unspecified: ["Not live yet", "The stream starts here by itself."],
  unknown_stream: ["Nothing here yet", "No stream of this name exists. It starts here as soon as it does."],
  starting: ["Starting", "The source is being started."],
  source_lost: ["Signal lost", "The source broke off and is being restarted."],
  no_publisher: ["Offline", "Nobody is publishing. The stream starts here by itself."],
  nothing_decodable: ["Cannot be played here", "This browser decodes none of the stream's tracks."],
} as const;

const failures: Record<FailureReason, readonly [title: string, text: string]> = {
  unsupported_version: ["Please reload", "The server speaks another version than this page."],
  unauthorized: ["No access", "You are not allowed to watch this stream."],
  token_expired: ["Access has expired", "Reload the page to ask for access again."],
  // The text is the operator's own, or the server's.
  kicked: ["Session ended", ""],
  origin_refused: ["Not on this page", ""],
  no_media_source: ["This browser cannot play it", "It has no Media Source Extensions. A current browser has."],
  unsupported_codec: ["This browser cannot play it", ""],
  not_loaded: ["A part of the player is missing", "It could not be loaded. Load the page anew to try again."],
  invalid_source: ["Wrong address", ""],
};

const endings = {
  unspecified: "The stream has ended.",
  stopped: "The stream was stopped.",
  switched: "",
  finished: "The stream has come to its end.",
  removed: "The stream was removed from the server.",
} as const;

const disconnects: Partial<Record<string, string>> = {
  too_slow: "The connection is too slow for this stream.",
  overloaded: "The server takes no more viewers just now.",
  restarting: "The server is being restarted.",
  shutting_down: "The server was stopped.",
  unreachable: "The server cannot be reached.",
  silent: "The server has fallen silent.",
};

/** The server knows best what there is too much of; for the rare reasons its words do as well. */
function whyLost(reason: string, message: string): string {
  const own = disconnects[reason];
  return (reason === "overloaded" ? message || own : own || message) || "The connection was lost.";
}

/** Says what to write for a status; undefined where the picture speaks for itself. */
export function messageOf(status: PlayerStatus): Message | undefined {
  switch (status.kind) {
    case "idle":
    case "blocked":
    case "playing":
    case "paused":
      return undefined;
    case "connecting":
    case "buffering":
      return { title: "", text: "", busy: true, elsewhere: false };
    case "waiting": {
      const [title, text] = waiting[status.reason];
      return { title, text, busy: true, elsewhere: status.reason === "nothing_decodable" };
    }
    case "reconnecting": {
      const seconds = Math.max(0, Math.ceil((status.retryAt - now()) / 1000));
      return {
        title: seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting",
        text: whyLost(status.reason, status.message),
        busy: true,
        elsewhere: false,
        ...(seconds > 1 && { action: { label: "Try now", does: "reconnect" } as const }),
      };
    }
    case "ended":
      return {
        title: "Ended",
        text: endings[status.reason],
        busy: false,
        elsewhere: false,
        action: { label: "Play again", does: "play" },
      };
    case "failed": {
      const [title, text] = failures[status.reason];
      const elsewhere = status.reason === "no_media_source" || status.reason === "unsupported_codec";
      return {
        title,
        text: text || status.message,
        busy: false,
        elsewhere,
        ...(!elsewhere && { action: { label: "Try again", does: "retry" } as const }),
      };
    }
    default:
      status satisfies never;
      return undefined;
  }
}

/** Names a codec as people do. */
export function codecName(codec: string): string {
  const names: Record<string, string> = {
    avc1: "H.264",
    avc3: "H.264",
    hvc1: "H.265",
    hev1: "H.265",
    av01: "AV1",
    vp09: "VP9",
    vp08: "VP8",
    mp4a: "AAC",
    opus: "Opus",
    flac: "FLAC",
    mp3: "MP3",
  };
  const family = codec.split(".")[0] ?? "";
  const name = names[family.toLowerCase()];
  return name ? `${name} (${codec})` : codec;
}
