// The page /embed/{stream}: the player alone, for iframes.

import { parseEmbedOptions } from "../../lib/embed-options.ts";
import { setUpPlayer } from "../../lib/player.ts";
import { streamOfPath } from "../../lib/stream-name.ts";

const stream = streamOfPath(location.pathname, "/embed/");
const player = document.querySelector("framewire-player");
if (stream === undefined) {
  const refusal = document.createElement("p");
  refusal.className = "refusal";
  refusal.textContent = "This address names no stream. It should end in /embed/ and the stream's name.";
  player?.replaceWith(refusal);
} else if (player instanceof HTMLElement) {
  document.title = `${stream} · Framewire`;
  const title = document.getElementById("title");
  if (title) title.textContent = stream;
  setUpPlayer(player, stream, parseEmbedOptions(new URLSearchParams(location.search)));
}
