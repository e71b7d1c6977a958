// One stream in the gallery.

import { h, icon, setText } from "../../lib/dom.ts";
import { formatBitrate, formatLatency, formatSpan, formatViewers } from "../../lib/format.ts";
import { thumbnailPath, watchPath } from "../../lib/stream-name.ts";
import { describeStatus, type Stream } from "../../lib/streams.ts";
import { Thumbnail } from "../../lib/thumbnail.ts";
import { Preview } from "./preview.ts";

/** A card: a picture that renews itself, and what is known of the stream. */
export class Card {
  readonly element: HTMLLIElement;
  readonly #status = h("span", { class: "badge" });
  readonly #viewers = h("span", { class: "badge" });
  readonly #viewerCount = h("span");
  readonly #viewerWord = h("span", { class: "visually-hidden" });
  readonly #facts = h("span", { class: "card-facts" });
  readonly #thumbnail: Thumbnail;
  readonly #preview: Preview;
  #stream: Stream;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#viewers.append(icon("eye"), this.#viewerCount, this.#viewerWord);
    const picture = h(
      "span",
      { class: "card-picture" },
      h("span", { class: "card-placeholder" }, icon("pulse"), icon("offline")),
      h("span", { class: "card-badges" }, this.#status, this.#viewers),
    );
    // The name comes first for those who listen, and below for those who look.
    const link = h(
      "a",
      { href: watchPath(stream.name) },
      h(
        "span",
        { class: "card-text" },
        h("strong", { class: "card-name", title: stream.name }, stream.name),
        this.#facts,
      ),
      picture,
    );
    this.element = h("li", { class: "card" }, link);
    const preview = new Preview(link, picture, stream.name);
    this.#thumbnail = new Thumbnail(picture, thumbnailPath(stream.name), {
      standIn(wanted) {
        preview.standIn = wanted;
      },
    });
    this.#preview = preview;
    this.update(stream);
  }

  /** Shows what is new of the same stream. */
  update(stream: Stream): void {
    this.#stream = stream;
    const live = stream.status === "live";
    this.element.setAttribute("data-status", stream.status);
    this.#status.setAttribute("data-status", stream.status);
    setText(this.#status, describeStatus(stream));
    this.#viewers.hidden = !live;
    const [count = "", word = ""] = formatViewers(stream.viewers).split(" ");
    setText(this.#viewerCount, count);
    setText(this.#viewerWord, ` ${word}`);
    this.#thumbnail.live = live;
    this.#preview.enabled = live;
    this.#describe();
  }

  /** Shows that time has passed. now is in milliseconds of the server's clock. */
  tick(now: number): void {
    if (this.#stream.status === "offline") this.#describe(now);
  }

  /** Stops everything that goes on behind the card. */
  close(): void {
    this.#thumbnail.close();
    this.#preview.close();
  }

  #describe(now = Date.now()): void {
    const facts = this.#factsAt(now);
    const shown = [...this.#facts.children].map((fact) => fact.textContent);
    if (shown.length !== facts.length || facts.some((fact, i) => fact !== shown[i])) {
      this.#facts.replaceChildren(...facts.map((fact) => h("span", {}, fact)));
    }
  }

  #factsAt(now: number): readonly string[] {
    const stream = this.#stream;
    switch (stream.status) {
      case "live": {
        const figures = [formatBitrate(stream.bitrate), formatLatency(stream.latency)];
        return [...stream.facts, ...figures.filter((figure) => figure !== "")];
      }
      case "starting":
        return ["Waiting for the first picture"];
      case "offline":
        return stream.since > 0 ? [`Offline for ${formatSpan((now - stream.since) / 1000)}`] : ["Offline"];
      default:
        return stream.status satisfies never;
    }
  }
}
