// The log of events, the newest first.

import type { Event as ServerEvent } from "@framewire/schema/admin";
import { h } from "../../lib/dom.ts";
import { parseStreamName, watchPath } from "../../lib/stream-name.ts";
import { lineOf, TOPICS, type Topic } from "./event-text.ts";
import { formatClock, formatMoment, unixMs } from "./figures.ts";

/** Events that the page keeps. */
const KEPT = 500;

export class EventLog {
  readonly element: HTMLElement;
  readonly #list = h("ol");
  // Not announced: it would never fall silent.
  readonly #log = h(
    "div",
    { class: "events", role: "log", "aria-live": "off", "aria-label": "Events", tabindex: 0 },
    this.#list,
  );
  readonly #empty = h("p", { class: "table-empty" }, "Nothing has happened yet.");

  constructor() {
    const topics = Object.entries(TOPICS).map(([topic, label]) => this.#toggle(topic as Topic, label));
    this.element = h(
      "div",
      { class: "event-log" },
      h("div", { class: "topics", role: "group", "aria-label": "Kinds of events" }, ...topics),
      h("div", { class: "events-box" }, this.#log, this.#empty),
    );
  }

  add(event: ServerEvent): void {
    const line = lineOf(event);
    if (!line) return;
    const at = unixMs(event.atUnixUs);
    const name = parseStreamName(event.stream);
    this.#prepend(
      h(
        "li",
        { "data-topic": line.topic, "data-tone": line.tone },
        h("time", { datetime: new Date(at).toISOString(), title: formatMoment(at) }, formatClock(at)),
        h("span", { class: "event-text" }, line.text),
        name ? h("a", { class: "event-stream", href: watchPath(name) }, name) : undefined,
      ),
    );
  }

  missed(count: bigint): void {
    this.#prepend(h("li", { "data-tone": "warn" }, h("span", { class: "event-text" }, `${count} events were missed`)));
  }

  #prepend(item: HTMLLIElement): void {
    // Who reads further down keeps the place.
    const reading = this.#log.scrollTop > 0;
    this.#list.prepend(item);
    if (reading) this.#log.scrollTop += item.offsetHeight;
    if (this.#list.children.length > KEPT) this.#list.lastElementChild?.remove();
    this.#empty.hidden = true;
  }

  #toggle(topic: Topic, label: string): HTMLButtonElement {
    const button = h("button", { type: "button", class: "chip", "aria-pressed": "true" }, label);
    button.addEventListener("click", () => {
      const hidden = this.#log.toggleAttribute(`data-no-${topic}`);
      button.setAttribute("aria-pressed", String(!hidden));
    });
    return button;
  }
}
