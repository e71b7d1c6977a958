import type { ResumePosition } from "@framewire/schema/session";
import { type Init, nameOf } from "../wire/index.ts";
import type { Fragment, SessionState, StreamStarted } from "./types.ts";

/** Where the session stands, for going on after a broken connection. */
export class Position {
  #stream = "";
  #instance = "";
  #next = 0;
  #timeShifted = false;
  paused = false;

  /** What to say in Hello, or undefined before the first fragment. */
  get resume(): Init<ResumePosition> | undefined {
    if (!this.#next) return undefined;
    return {
      stream: this.#stream,
      instance: this.#instance,
      nextSequence: this.#next,
      paused: this.paused,
      timeShifted: this.#timeShifted,
    };
  }

  started({ stream, instance }: StreamStarted): void {
    if (stream !== this.#stream || instance !== this.#instance) this.#next = 0;
    this.#stream = stream;
    this.#instance = instance;
  }

  fragment({ sequence }: Fragment): void {
    this.#next = sequence + 1;
  }

  session({ playback, live }: SessionState): void {
    this.paused = nameOf("Playback", playback) === "paused";
    this.#timeShifted = !live;
  }

  ended(): void {
    this.#next = 0;
  }
}
