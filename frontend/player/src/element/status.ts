import type { ClientEvents, ConnectionState, SessionState } from "../client/types.ts";
import type { FailureReason, PlayerStatus, UndecodableTrack } from "../status.ts";
import { nameOf } from "../wire/index.ts";

/** All that the status follows from. */
export interface Facts {
  opened: boolean;
  failure: { readonly reason: FailureReason; readonly message: string } | undefined;
  connection: ConnectionState | undefined;
  session: SessionState | undefined;
  /** Paused because nobody looks or the browser refused. */
  resting: boolean;
  waiting: ClientEvents["waiting"] | undefined;
  ended: ClientEvents["ended"] | undefined;
  blocked: boolean;
  undecodable: readonly UndecodableTrack[];
  /** Frames follow each other. */
  moving: boolean;
}

export function noFacts(): Facts {
  return {
    opened: false,
    failure: undefined,
    connection: undefined,
    session: undefined,
    resting: false,
    waiting: undefined,
    ended: undefined,
    blocked: false,
    undecodable: [],
    moving: false,
  };
}

/** Says what the player does and why. */
export function statusOf(facts: Facts): PlayerStatus {
  const { failure, connection, session, waiting, ended } = facts;
  if (failure) return { kind: "failed", ...failure, codecs: facts.undecodable.map((track) => track.codec) };
  if (!facts.opened) return { kind: "idle" };
  if (connection?.phase === "closed") return closed(connection);
  if (connection?.phase === "reconnecting") {
    const { reason, attempt, retryAt, message } = connection;
    return { kind: "reconnecting", reason, attempt, retryAt, message };
  }
  if (ended) return { kind: "ended", reason: ended.reason, message: ended.message };
  if (waiting) {
    const { reason, since, message } = waiting;
    return { kind: "waiting", reason, since, message };
  }
  if (facts.blocked) return { kind: "blocked" };
  if (session && !facts.resting && nameOf("Playback", session.playback) === "paused") return { kind: "paused" };
  if (!session) return { kind: "connecting" };
  return { kind: facts.moving ? "playing" : "buffering" };
}

function closed({ reason, message }: Extract<ConnectionState, { phase: "closed" }>): PlayerStatus {
  switch (reason) {
    case "unsupported_version":
    case "unauthorized":
    case "token_expired":
    case "kicked":
    case "origin_refused":
      return { kind: "failed", reason, message, codecs: [] };
    default:
      return { kind: "idle" };
  }
}

/** Whether two statuses tell the viewer the same. */
export function sameStatus(a: PlayerStatus, b: PlayerStatus): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
