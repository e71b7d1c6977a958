// The player element of /player.js, as the pages use it. The pages load it with
// a script tag, so that page and worker share one file, and know its type here.

import type { PlayerStatus, StreamInfo } from "@framewire/player";
import type { EmbedOptions } from "./embed-options.ts";
import { type StreamName, socketUrl } from "./stream-name.ts";

/** What pages use of `<framewire-player>`. Undefined until the element is defined. */
export interface Player extends HTMLElement {
  readonly status?: PlayerStatus;
  subscribeStreams?(enabled: boolean): Promise<readonly StreamInfo[]>;
}

/** Sets the attributes of a player; src comes last, because it starts it. */
export function setUpPlayer(player: Player, stream: StreamName, options: EmbedOptions): void {
  player.toggleAttribute("autoplay", options.autoplay);
  player.toggleAttribute("muted", options.muted);
  player.toggleAttribute("nocontrols", !options.controls);
  if (options.latency === "auto") player.removeAttribute("latency");
  else player.setAttribute("latency", String(options.latency));
  player.setAttribute("src", socketUrl(location.origin, stream));
}

/**
 * Tells whenever the player has come to a session: at first, and after each
 * connection that broke.
 */
export function onSession(player: Player, begun: () => void): void {
  let inSession = false;
  const look = () => {
    const was = inSession;
    inSession = hasSession(player.status);
    if (inSession && !was) begun();
  };
  player.addEventListener("statuschange", look);
  look();
}

function hasSession(status: PlayerStatus | undefined): boolean {
  switch (status?.kind) {
    case undefined:
    case "idle":
    case "connecting":
    case "reconnecting":
    case "failed":
      return false;
    default:
      return true;
  }
}
