// What the numbers of the schema mean, in words for people. A number that this
// page does not know yet is shown as it is: a newer server speaks.

import { Degradation, Playback, PlayerState } from "@framewire/schema/control";
import { GapReason, StreamStatus } from "@framewire/schema/media";
import { GoodbyeReason } from "@framewire/schema/session";

type Words = Readonly<Record<number, string>>;

const of =
  (words: Words) =>
  (value: number): string =>
    words[value] ?? `unknown (${value})`;

export const playbackWord = of({
  [Playback.UNSPECIFIED]: "Unknown",
  [Playback.STOPPED]: "Stopped",
  [Playback.WAITING]: "Waiting",
  [Playback.PLAYING]: "Playing",
  [Playback.PAUSED]: "Paused",
});

/** What the player says, where that differs from what the server holds. */
export const playerWord = of({
  [PlayerState.UNSPECIFIED]: "unknown",
  [PlayerState.BUFFERING]: "buffering",
  [PlayerState.PLAYING]: "playing",
  [PlayerState.PAUSED]: "paused",
  [PlayerState.BLOCKED]: "waits for a click",
  [PlayerState.FAILED]: "failed",
});

export const degradationWord = of({
  [Degradation.UNSPECIFIED]: "Full",
  [Degradation.NONE]: "Full",
  [Degradation.KEYFRAMES_ONLY]: "Keyframes only",
  [Degradation.AUDIO_ONLY]: "Sound only",
});

export const statusWord = of({
  [StreamStatus.UNSPECIFIED]: "Closed",
  [StreamStatus.STARTING]: "Starting",
  [StreamStatus.LIVE]: "LIVE",
  [StreamStatus.OFFLINE]: "Offline",
});

export const goodbyeWord = of({
  [GoodbyeReason.UNSPECIFIED]: "for no known reason",
  [GoodbyeReason.CLIENT_LEFT]: "left",
  [GoodbyeReason.SHUTTING_DOWN]: "ended by the server's shutdown",
  [GoodbyeReason.RESTARTING]: "ended by the server's restart",
  [GoodbyeReason.TOO_SLOW]: "ended: too slow for every step",
  [GoodbyeReason.IDLE]: "ended: nothing came any more",
  [GoodbyeReason.HANDSHAKE_TIMEOUT]: "ended: no handshake",
  [GoodbyeReason.UNSUPPORTED_VERSION]: "ended: no common version",
  [GoodbyeReason.PROTOCOL_ERROR]: "ended: broke the protocol",
  [GoodbyeReason.MESSAGE_TOO_LARGE]: "ended: message too large",
  [GoodbyeReason.OVERLOADED]: "refused: the server is full",
  [GoodbyeReason.UNAUTHORIZED]: "refused: not allowed",
  [GoodbyeReason.TOKEN_EXPIRED]: "ended: its token expired",
  [GoodbyeReason.KICKED]: "ended by an operator",
  [GoodbyeReason.INTERNAL]: "ended: the server failed",
});

export const gapWord = of({
  [GapReason.UNSPECIFIED]: "for no known reason",
  [GapReason.TOO_SLOW]: "taken too slowly",
  [GapReason.LEFT_WINDOW]: "no longer held",
  [GapReason.SOURCE_INTERRUPTED]: "the source broke off",
  [GapReason.RESUMED]: "while away",
});
