// The streams: how they do, and what can be done with them.

import type { AdminStream } from "@framewire/schema/admin";
import { StreamStatus } from "@framewire/schema/media";
import { h, type IconName, icon, setText } from "../../lib/dom.ts";
import { formatBitrate } from "../../lib/format.ts";
import { type StreamName, watchPath } from "../../lib/stream-name.ts";
import { factsOf } from "../../lib/streams.ts";
import type { Actions } from "./actions.ts";
import { formatBytes, formatCount, formatElapsed, formatMoment, formatMs, unixMs } from "./figures.ts";
import { type Column, Table, textCell } from "./table.ts";
import { statusWord } from "./words.ts";

/** In the order that an operator wants to see them. */
const STATUS_RANK: Readonly<Record<number, number>> = {
  [StreamStatus.LIVE]: 0,
  [StreamStatus.STARTING]: 1,
  [StreamStatus.OFFLINE]: 2,
};

/** A stream, and whether it has somebody who publishes it. */
export interface StreamRow {
  readonly stream: AdminStream;
  readonly name: string;
  readonly published: boolean;
  /** The server's clock, in Unix milliseconds. */
  readonly now: number;
}

export function streamsTable(actions: Actions): Table<StreamRow> {
  return new Table<StreamRow>({
    label: "Streams",
    key: ({ name }) => name,
    columns: [...columns, actionsColumn(actions)],
    orderBy: "name",
    empty: [h("p", {}, "There are no streams. Add a source, or publish one.")],
  });
}

const columns: readonly Column<StreamRow>[] = [
  { id: "name", label: "Stream", order: ({ name }) => name, cell: nameCell },
  {
    id: "status",
    label: "Status",
    order: ({ stream }) => STATUS_RANK[stream.info?.status ?? 0] ?? 3,
    cell: statusCell,
  },
  {
    ...{ id: "viewers", label: "Viewers", numeric: true },
    order: ({ stream }) => stream.info?.viewers ?? 0,
    cell: textCell(({ stream }) => formatCount(stream.info?.viewers ?? 0)),
  },
  {
    ...{ id: "bitrate", label: "Bitrate", numeric: true },
    order: ({ stream }) => stream.info?.bitrateBps ?? 0,
    cell: textCell(({ stream }) => formatBitrate(stream.info?.bitrateBps ?? 0) || "–"),
  },
  { id: "source", label: "Source", order: ({ stream }) => stream.source, cell: sourceCell },
  {
    ...{ id: "epoch", label: "Epoch", numeric: true },
    order: ({ stream }) => stream.epoch,
    cell: textCell(({ stream }) => (stream.epoch > 0 ? formatCount(stream.epoch) : "–")),
  },
  {
    ...{ id: "restarts", label: "Restarts", numeric: true },
    order: ({ stream }) => stream.restarts,
    cell: textCell(({ stream }) => formatCount(stream.restarts)),
  },
  {
    ...{ id: "held", label: "Held", numeric: true },
    order: ({ stream }) => stream.ringMs,
    cell: textCell(
      ({ stream }) => (stream.ringMs > 0 ? formatMs(stream.ringMs) : "–"),
      ({ stream }) => (stream.ringBytes > 0n ? formatBytes(stream.ringBytes) : ""),
    ),
  },
];

function nameCell(cell: HTMLTableCellElement, current: () => StreamRow) {
  const name = current().name;
  const facts = h("small", { class: "nowrap" });
  cell.append(h("a", { class: "name", href: watchPath(name as StreamName), title: name }, name), facts);
  return ({ stream }: StreamRow) => setText(facts, factsOf(stream.info?.tracks ?? []).join(" · "));
}

function statusCell(cell: HTMLTableCellElement) {
  const badge = h("span", { class: "badge" });
  const since = h("small", { class: "nowrap" });
  cell.append(badge, since);
  return ({ stream: { info }, now }: StreamRow) => {
    const status = info?.status ?? StreamStatus.UNSPECIFIED;
    setText(badge, statusWord(status));
    badge.setAttribute("data-status", STATUS_NAMES[status] ?? "unknown");
    const at = unixMs(info?.sinceUnixUs ?? 0);
    setText(since, at > 0 ? `for ${formatElapsed(now - at)}` : "");
    if (at > 0) since.title = `since ${formatMoment(at)}`;
  };
}

const STATUS_NAMES: Readonly<Record<number, string>> = {
  [StreamStatus.STARTING]: "starting",
  [StreamStatus.LIVE]: "live",
  [StreamStatus.OFFLINE]: "offline",
};

function sourceCell(cell: HTMLTableCellElement) {
  const source = h("span", { class: "source" });
  const failure = h("small", { class: "failure" });
  cell.append(source, failure);
  return ({ stream, published }: StreamRow) => {
    setText(source, stream.source || (published ? "a publisher" : "nobody publishes"));
    source.toggleAttribute("data-code", stream.source !== "");
    source.title = stream.source;
    setText(failure, stream.sourceError || stream.message);
    failure.hidden = !stream.sourceError && !stream.message;
    failure.title = stream.sourceError;
  };
}

function actionsColumn(actions: Actions): Column<StreamRow> {
  const act = (name: IconName, label: string, run: (button: HTMLButtonElement) => void) => {
    const button = h("button", { type: "button", class: "button action" }, icon(name), h("span", {}, label));
    button.addEventListener("click", () => run(button));
    return button;
  };
  return {
    ...{ id: "actions", label: "Actions", actions: true },
    cell(cell, current) {
      const { name } = current();
      const restart = act("restart", "Restart", (button) => actions.restartSource(name, button));
      const keyframe = act("key", "Keyframe", (button) => actions.requestKeyframe(name, button));
      const send = act("send", "Control", () => actions.direct({ kind: "stream", stream: name }));
      const remove = act("trash", "Remove", () => actions.removeStream(name));
      for (const [button, title] of [
        [restart, `Restart the source of ${name}`],
        [keyframe, `Ask the source of ${name} for a keyframe`],
        [send, `Control the players of ${name}`],
        [remove, `Remove ${name}`],
      ] as const) {
        button.setAttribute("aria-label", title);
        button.title = title;
      }
      cell.append(h("div", { class: "buttons" }, send, keyframe, restart, remove));
      return ({ stream }) => {
        restart.hidden = stream.source === "";
        keyframe.hidden = stream.info?.status !== StreamStatus.LIVE;
        send.hidden = (stream.info?.viewers ?? 0) === 0;
      };
    },
  };
}
