import { FramewireError } from "../client/errors.ts";
import type { StreamInfo } from "../client/types.ts";
import type { CommandCall, Failure, ToHost } from "../host/messages.ts";

interface Pending {
  readonly resolve: (streams: readonly StreamInfo[]) => void;
  readonly reject: (error: FramewireError) => void;
}

/** Sends commands to the host and matches the answers. */
export class CommandDesk {
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  ask(call: CommandCall, send: (message: ToHost) => void): Promise<readonly StreamInfo[]> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject });
      send({ type: "command", id, call });
    });
  }

  answer(id: number, failure: Failure | undefined, streams: readonly StreamInfo[]): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (!failure) return pending?.resolve(streams);
    pending?.reject(new FramewireError(failure.code, failure.message, failure.field, failure.retryAfter));
  }

  rejectAll(error: FramewireError): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
