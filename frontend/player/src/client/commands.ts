import type { Command } from "@framewire/schema/control";
import type { Millis, Seconds } from "../units.ts";
import type { ClientBody, Init } from "../wire/index.ts";
import { FramewireError } from "./errors.ts";
import type { From, Outcome, StreamInfo, TrackChoice } from "./types.ts";

type CommandBody = Exclude<Init<Command>["body"], undefined>;

interface Pending {
  readonly resolve: (streams: readonly StreamInfo[]) => void;
  readonly reject: (error: FramewireError) => void;
}

/**
 * The commands of the protocol as promises. Each resolves when the server has
 * done it, and rejects with a FramewireError when not.
 */
export abstract class Commands {
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  /** Plays a stream; by default from the live edge. One that is not live is waited for. */
  play(stream: string, from?: From): Promise<void> {
    return this.#done({ case: "play", value: { stream, ...(from && { from: fromBody(from) }) } });
  }

  /** Stops media on the wire and keeps the position. */
  pause(): Promise<void> {
    return this.#done({ case: "pause", value: {} });
  }

  /** Goes on after pause: where it was paused, or at the live edge. */
  resume(options: { readonly live?: boolean } = {}): Promise<void> {
    return this.#done({ case: "resume", value: { live: options.live ?? false } });
  }

  /** Ends the stream in this session. */
  stop(): Promise<void> {
    return this.#done({ case: "stop", value: {} });
  }

  /** Moves to the keyframe at or before a time of the window. */
  seek(time: Seconds): Promise<void> {
    return this.#done({ case: "seek", value: { timeSeconds: time } });
  }

  /** Moves to the live edge. */
  goLive(): Promise<void> {
    return this.#done({ case: "goLive", value: {} });
  }

  /** Sets the volume, from 0 to 1; at 0 no sound is sent. */
  setVolume(volume: number): Promise<void> {
    return this.#done({ case: "setVolume", value: { volume } });
  }

  /** Switches sound off or on; while off no sound is sent. */
  setMuted(muted: boolean): Promise<void> {
    return this.#done({ case: "setMuted", value: { muted } });
  }

  /**
   * Chooses tracks. Another connection, and another stream as far as it has the
   * like, play what was chosen as well.
   */
  selectTracks(tracks: TrackChoice): Promise<void> {
    const { video, audio } = tracks;
    return this.#done({ case: "selectTracks", value: { videoTrackId: video, audioTrackId: audio } });
  }

  /** Sets the wanted latency, 0 for automatic. */
  setLatencyTarget(target: Millis): Promise<void> {
    return this.#done({ case: "setLatencyTarget", value: { latencyTargetMs: target } });
  }

  /** Asks the source for a keyframe. */
  requestKeyframe(): Promise<void> {
    return this.#done({ case: "requestKeyframe", value: {} });
  }

  /** Gives a new access token in place of the present one. */
  refreshToken(token: string): Promise<void> {
    return this.#done({ case: "refreshToken", value: { token } });
  }

  listStreams(): Promise<readonly StreamInfo[]> {
    return this.#ask({ case: "listStreams", value: {} });
  }

  /** Subscribes to the `streams` event, over all connections, or ends that; returns the list as it is. */
  subscribeStreams(enabled = true): Promise<readonly StreamInfo[]> {
    return this.#ask({ case: "subscribeStreams", value: { enabled } });
  }

  /** Sends a message if a session is open; false if not. */
  protected abstract send(body: ClientBody): boolean;

  protected resolve(id: number, outcome: Outcome): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (outcome.case === "error") pending?.reject(FramewireError.fromWire(outcome.value));
    else pending?.resolve(outcome.case === "streams" ? outcome.value.streams : []);
  }

  protected rejectAll(error: FramewireError): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of all) reject(error);
  }

  async #done(body: CommandBody): Promise<void> {
    await this.#ask(body);
  }

  #ask(body: CommandBody): Promise<readonly StreamInfo[]> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      if (this.send({ case: "command", value: { id, body } })) this.#pending.set(id, { resolve, reject });
      else reject(new FramewireError("not_connected", "no session with the server is open"));
    });
  }
}

function fromBody(from: From): NonNullable<Extract<CommandBody, { case: "play" }>["value"]["from"]> {
  if ("time" in from) return { case: "timeSeconds", value: from.time };
  if ("sequence" in from) return { case: "sequence", value: from.sequence };
  return { case: "secondsBehindLive", value: from.behindLive };
}
