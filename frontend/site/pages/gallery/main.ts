// The page /: the streams of this server, and how to publish one.

import { connect } from "@framewire/player/client";
import { byId, h, setText } from "../../lib/dom.ts";
import { formatViewers } from "../../lib/format.ts";
import { showLink } from "../../lib/link.ts";
import { type StreamName, socketUrl } from "../../lib/stream-name.ts";
import { followStreams, type Stream } from "../../lib/streams.ts";
import { Card } from "./card.ts";
import { askOffer, hostOf, showPublishHelp } from "./publish.ts";

/** How often "offline for" is written anew: its smallest step is a minute. */
const TICK_MS = 10_000;

const client = connect(socketUrl(location.origin), { clientName: "framewire-gallery" });
const grid = byId("grid", HTMLUListElement);
const cards = new Map<StreamName, Card>();

/** Makes the grid show these streams, in this order. Cards that stay are not made anew. */
function show(streams: readonly Stream[]): void {
  for (const skeleton of grid.querySelectorAll(".skeleton")) skeleton.remove();
  grid.removeAttribute("aria-busy");
  const names = new Set(streams.map(({ name }) => name));
  for (const [name, card] of cards) {
    if (names.has(name)) continue;
    card.close();
    card.element.remove();
    cards.delete(name);
  }
  for (const [index, stream] of streams.entries()) {
    const card = cards.get(stream.name) ?? new Card(stream);
    if (cards.has(stream.name)) card.update(stream);
    else cards.set(stream.name, card);
    place(card.element, index);
  }
  byId("empty", HTMLDivElement).hidden = streams.length > 0;
  grid.hidden = streams.length === 0;
  setText(byId("summary", HTMLParagraphElement), summaryOf(streams));
}

/** Puts the card at its index. Focus stays where it was, which moving alone would take away. */
function place(element: HTMLElement, index: number): void {
  if (grid.children[index] === element) return;
  const focused = element.contains(document.activeElement) ? document.activeElement : undefined;
  grid.insertBefore(element, grid.children[index] ?? null);
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
}

function summaryOf(streams: readonly Stream[]): string {
  const live = streams.filter(({ status }) => status === "live");
  if (streams.length === 0) return "";
  const viewers = live.reduce((sum, stream) => sum + stream.viewers, 0);
  return live.length === 0 ? "None is live now" : `${live.length} live, ${formatViewers(viewers)}`;
}

/** Shows why this page is no longer connected, with a way back; nothing for an empty reason. */
function showEnd(reason: string): void {
  const notice = byId("ended", HTMLDivElement);
  notice.hidden = reason === "";
  if (notice.hidden) return;
  const again = h("button", { type: "button", class: "button" }, "Try again");
  again.addEventListener("click", () => location.reload());
  notice.replaceChildren(h("span", {}, reason), again);
}

followStreams(client, {
  streams: show,
  link(link, message) {
    showLink(byId("connection", HTMLSpanElement), link);
    byId("lost", HTMLParagraphElement).hidden = link !== "lost";
    grid.toggleAttribute("data-stale", link === "lost" || link === "ended");
    showEnd(link === "ended" ? message || "The server ended the connection." : "");
    if (message) console.info(`framewire: ${message}`);
  },
});
client.on("connection", (state) => {
  if (state.phase === "open") setText(byId("server", HTMLSpanElement), state.server);
});

const ticking = setInterval(() => {
  for (const card of cards.values()) card.tick(Date.now() + (client.clock.offset ?? 0));
}, TICK_MS);
// A page kept for going back to holds no connection and no timer.
addEventListener("pagehide", () => {
  clearInterval(ticking);
  for (const card of cards.values()) card.close();
  client.close();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

void askOffer().then((offer) => showPublishHelp(byId("publish-panel", HTMLDivElement), hostOf(location, offer)));
