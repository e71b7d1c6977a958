// The word in the header that says how the page stands with the server.

import { setText } from "./dom.ts";
import type { Link } from "./streams.ts";

const WORDS: Readonly<Record<Link, string>> = {
  connecting: "Connecting",
  open: "Connected",
  lost: "Reconnecting",
  ended: "Not connected",
};

/** Shows the state in the element. */
export function showLink(element: HTMLElement, link: Link): void {
  element.setAttribute("data-state", link);
  setText(element, WORDS[link]);
}
