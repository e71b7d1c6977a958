// The publishers.

import type { AdminPublisher } from "@framewire/schema/admin";
import { h, icon } from "../../lib/dom.ts";
import { formatBitrate } from "../../lib/format.ts";
import type { Actions } from "./actions.ts";
import { formatBytes, formatElapsed, unixMs } from "./figures.ts";
import { Table, textCell } from "./table.ts";

export interface PublisherRow {
  readonly publisher: AdminPublisher;
  readonly bitsPerSecond: number | null;
  /** The server's clock, in Unix milliseconds. */
  readonly now: number;
}

export function publishersTable(actions: Actions): Table<PublisherRow> {
  return new Table<PublisherRow>({
    label: "Publishers",
    key: ({ publisher }) => `${publisher.stream} ${publisher.openedAtUnixUs}`,
    columns: [
      {
        ...{ id: "stream", label: "Stream" },
        order: ({ publisher }) => publisher.stream,
        cell: textCell(({ publisher }) => publisher.stream),
      },
      {
        ...{ id: "protocol", label: "Protocol" },
        order: ({ publisher }) => publisher.protocol,
        cell: textCell(({ publisher }) => publisher.protocol.toUpperCase()),
      },
      {
        ...{ id: "remote", label: "From" },
        order: ({ publisher }) => publisher.remote,
        cell: textCell(
          ({ publisher }) => publisher.remote,
          ({ publisher }) => [publisher.subject, publisher.client].filter(Boolean).join(" · "),
        ),
      },
      {
        ...{ id: "received", label: "Received", numeric: true },
        order: ({ publisher }) => Number(publisher.receivedBytes),
        cell: textCell(
          ({ publisher }) => formatBytes(publisher.receivedBytes),
          ({ bitsPerSecond }) => formatBitrate(bitsPerSecond ?? 0),
        ),
      },
      {
        ...{ id: "since", label: "Here for", numeric: true },
        order: ({ publisher, now }) => now - unixMs(publisher.openedAtUnixUs),
        cell: textCell(({ publisher, now }) => formatElapsed(now - unixMs(publisher.openedAtUnixUs))),
      },
      {
        ...{ id: "actions", label: "Actions", actions: true },
        cell(cell, current) {
          const title = `Kick the publisher of ${current().publisher.stream}`;
          const kick = h(
            "button",
            { type: "button", class: "button action", "aria-label": title, title },
            icon("kick"),
            h("span", {}, "Kick"),
          );
          kick.addEventListener("click", () => actions.kickPublisher(current().publisher.stream));
          cell.append(h("div", { class: "buttons" }, kick));
          return () => {};
        },
      },
    ],
    empty: [h("p", {}, "Nobody publishes now. ", h("a", { href: "/#publish" }, "How to publish"))],
  });
}
