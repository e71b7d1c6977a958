import type { CommandResult, Error as WireFailure } from "@framewire/schema/control";
import type { Millis } from "../units.ts";
import { type Init, type NameOf, nameOf, numberOf, type Plain } from "../wire/index.ts";

/** Why a command was not done: the server's codes, and those of this side. */
export type FramewireErrorCode =
  | NameOf<"ErrorCode">
  /** No session is open, so there is no one to ask. */
  | "not_connected"
  /** The connection broke before the answer came. */
  | "connection_lost"
  /** close was called. */
  | "closed";

/** A command that was not done. */
export class FramewireError extends Error {
  override readonly name = "FramewireError";

  constructor(
    readonly code: FramewireErrorCode,
    message: string,
    /** Path of the field that is wrong, or empty. */
    readonly field = "",
    /** Trying again sooner than this is of no use; 0 where waiting does not help, or nobody can tell. */
    readonly retryAfter: Millis = 0,
  ) {
    super(message);
  }

  static fromWire(error: Extract<Plain<CommandResult>["outcome"], { case: "error" }>["value"]): FramewireError {
    return new FramewireError(nameOf("ErrorCode", error.code), error.message, error.field, error.retryAfterMs);
  }

  /** The same as the protocol writes it; a code of this side becomes "internal". */
  toWire(): Init<WireFailure> {
    const code = numberOf("ErrorCode", this.code as NameOf<"ErrorCode">);
    const { message, field, retryAfter } = this;
    return { code: code < 0 ? numberOf("ErrorCode", "internal") : code, message, field, retryAfterMs: retryAfter };
  }
}
