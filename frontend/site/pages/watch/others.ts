// The other streams of the server, beside the player.

import { h, setText } from "../../lib/dom.ts";
import { formatViewers } from "../../lib/format.ts";
import { type StreamName, thumbnailPath, watchPath } from "../../lib/stream-name.ts";
import { describeStatus, type Stream } from "../../lib/streams.ts";
import { Thumbnail } from "../../lib/thumbnail.ts";

/** Slower than in the gallery: here the player is what the page is for. */
const REFRESH_MS = 15_000;

interface Entry {
  readonly element: HTMLLIElement;
  readonly update: (stream: Stream) => void;
  readonly close: () => void;
}

/** The list, hidden while there is no other stream. */
export class Others {
  readonly #entries = new Map<StreamName, Entry>();

  constructor(
    private readonly section: HTMLElement,
    private readonly list: HTMLUListElement,
    /** The stream that the page plays. */
    private readonly playing: StreamName,
  ) {}

  /** Shows these streams, in this order, without the one that plays. */
  show(streams: readonly Stream[]): void {
    const others = streams.filter(({ name }) => name !== this.playing);
    const names = new Set(others.map(({ name }) => name));
    for (const [name, entry] of this.#entries) {
      if (names.has(name)) continue;
      entry.close();
      entry.element.remove();
      this.#entries.delete(name);
    }
    for (const [index, stream] of others.entries()) {
      const entry = this.#entries.get(stream.name) ?? makeEntry(stream);
      this.#entries.set(stream.name, entry);
      entry.update(stream);
      if (this.list.children[index] !== entry.element) {
        this.list.insertBefore(entry.element, this.list.children[index] ?? null);
      }
    }
    this.section.hidden = others.length === 0;
  }
}

function makeEntry({ name }: Stream): Entry {
  const picture = h("span", { class: "other-picture" });
  const about = h("span");
  const link = h(
    "a",
    { class: "other", href: watchPath(name) },
    picture,
    h("span", { class: "other-text" }, h("strong", { title: name }, name), about),
  );
  const thumbnail = new Thumbnail(picture, thumbnailPath(name), { refreshMs: REFRESH_MS });
  return {
    element: h("li", {}, link),
    update(stream) {
      const live = stream.status === "live";
      link.setAttribute("data-status", stream.status);
      thumbnail.live = live;
      setText(about, live ? `Live, ${formatViewers(stream.viewers)}` : describeStatus(stream));
    },
    close: () => thumbnail.close(),
  };
}
