import type { FramewireClient } from "../client/client.ts";
import { FramewireError } from "../client/errors.ts";
import type { DirectiveBody } from "../client/types.ts";
import { nameOf } from "../wire/index.ts";
import type { CommandCall } from "./messages.ts";

export interface DirectiveContext {
  /** The browser refuses to play without a click. */
  readonly blocked: boolean;
  readonly call: (call: CommandCall) => Promise<unknown>;
}

/**
 * Does what the server asks of the player, by sending the commands that follow
 * from it.
 *
 * @throws FramewireError when it cannot be done.
 */
export async function followDirective(
  body: DirectiveBody,
  client: FramewireClient,
  { blocked, call }: DirectiveContext,
): Promise<void> {
  switch (body.case) {
    case "play":
      if (blocked) throw new FramewireError("permission_denied", "the browser does not play without a click");
      if (client.session && nameOf("Playback", client.session.playback) === "paused") {
        await call({ name: "resume", args: [{ live: true }] });
      }
      return;
    case "pause":
      return void (await call({ name: "pause", args: [] }));
    case "setVolume":
      return void (await call({ name: "setVolume", args: [body.value.volume] }));
    case "setMuted":
      return void (await call({ name: "setMuted", args: [body.value.muted] }));
    case "switchStream":
      return void (await call({ name: "play", args: [body.value.stream] }));
    case "goLive":
      return void (await call({ name: "goLive", args: [] }));
    case "showNotice":
      return;
    default:
      body satisfies never;
  }
}
