// The page /watch/{stream}: the player, and what belongs to one stream.

import type { PlayerStatus, StreamInfo } from "@framewire/player";
import { byId, icon, setText } from "../../lib/dom.ts";
import { DEFAULT_OPTIONS } from "../../lib/embed-options.ts";
import { formatBitrate, formatSpan, formatViewers } from "../../lib/format.ts";
import { showLink } from "../../lib/link.ts";
import { onSession, type Player, setUpPlayer } from "../../lib/player.ts";
import { type StreamName, streamOfPath } from "../../lib/stream-name.ts";
import { describeStatus, type Link, type Stream, summarize } from "../../lib/streams.ts";
import { Others } from "./others.ts";

const player: Player = byId("player", HTMLElement);
const title = byId("title", HTMLHeadingElement);
const stream = streamOfPath(location.pathname, "/watch/");

if (stream === undefined) refuse();
else watch(stream);

function watch(name: StreamName): void {
  // First of all: this opens the connection.
  setUpPlayer(player, name, DEFAULT_OPTIONS);
  document.title = `${name} · Framewire`;
  setText(title, name);
  setUpActions(name);

  const others = new Others(byId("others", HTMLElement), byId("others-list", HTMLUListElement), name);
  const show = (infos: readonly StreamInfo[]) => {
    const streams = summarize(infos);
    showStream(streams.find((stream) => stream.name === name));
    others.show(streams);
  };
  player.addEventListener("streamschange", (event) => show((event as CustomEvent<readonly StreamInfo[]>).detail));
  player.addEventListener("statuschange", () => showLink(byId("connection", HTMLSpanElement), linkOf(player.status)));
  onSession(player, () => {
    player.subscribeStreams?.(true).then(show, (error: Error) => {
      console.warn(`framewire: the list of streams: ${error.message}`);
    });
  });
}

function setUpActions(name: StreamName): void {
  const stats = byId("stats", HTMLButtonElement);
  stats.append(icon("pulse"), "Stats");
  stats.addEventListener("click", () => player.toggleAttribute("stats"));
  // The player has a key and a button for it as well.
  new MutationObserver(() => stats.setAttribute("aria-pressed", String(player.hasAttribute("stats")))).observe(player, {
    attributeFilter: ["stats"],
  });

  const share = byId("share", HTMLButtonElement);
  share.append(icon("code"), "Share and embed");
  share.addEventListener("click", async () => {
    const { openShareDialog } = await import("./share.ts");
    openShareDialog(name);
  });
}

/**
 * Shows what the list says of this stream; undefined where it says nothing. The
 * player tells the rest.
 */
function showStream(stream: Stream | undefined): void {
  const badge = byId("status", HTMLSpanElement);
  badge.hidden = false;
  badge.setAttribute("data-status", stream?.status ?? "unknown");
  setText(badge, stream ? describeStatus(stream) : "Not there yet");
  setText(byId("facts", HTMLSpanElement), factsOf(stream).join(" · "));
}

function factsOf(stream: Stream | undefined): readonly string[] {
  switch (stream?.status) {
    case "live": {
      const bitrate = formatBitrate(stream.bitrate);
      return [formatViewers(stream.viewers), ...stream.facts, ...(bitrate ? [bitrate] : [])];
    }
    case "offline":
      return stream.since > 0 ? [`for ${formatSpan((Date.now() - stream.since) / 1000)}`] : [];
    default:
      return [];
  }
}

function linkOf(status: PlayerStatus | undefined): Link {
  switch (status?.kind) {
    case undefined:
    case "idle":
    case "connecting":
      return "connecting";
    case "reconnecting":
      return "lost";
    case "failed":
      return "ended";
    default:
      return "open";
  }
}

function refuse(): void {
  document.title = "No such page · Framewire";
  setText(title, "This address names no stream");
  byId("stage", HTMLDivElement).hidden = true;
  for (const id of ["stats", "share", "connection"]) byId(id, HTMLElement).hidden = true;
  byId("refusal", HTMLParagraphElement).hidden = false;
}
