// The viewers: what each one sees of the stream, and what can be done about it.

import type { AdminSession } from "@framewire/schema/admin";
import { Degradation, Playback, PlayerState } from "@framewire/schema/control";
import { h, icon, setText } from "../../lib/dom.ts";
import { formatBitrate } from "../../lib/format.ts";
import type { Actions } from "./actions.ts";
import { formatBytes, formatCount, formatElapsed, formatMoment, formatMs, unixMs } from "./figures.ts";
import { type Column, Table, textCell } from "./table.ts";
import { degradationWord, playbackWord, playerWord } from "./words.ts";

/** Reports that are older say nothing of now; players report every few seconds. In milliseconds. */
const FRESH_REPORT_MS = 15_000;
/** A viewer this far behind what the server has is about to be thinned out, in milliseconds. */
const HIGH_LAG_MS = 1_000;

export interface ViewerRow {
  readonly session: AdminSession;
  /** Media sent to it, in bits per second; null before there are two readings. */
  readonly bitsPerSecond: number | null;
  /** The server's clock, in Unix milliseconds. */
  readonly now: number;
}

/** Capture to glass in milliseconds, as far as the player knows it now. */
export function latencyOf({ report, reportAgeMs }: AdminSession): number | undefined {
  if (!report || report.state !== PlayerState.PLAYING || reportAgeMs > FRESH_REPORT_MS) return undefined;
  return report.latencyMs > 0 ? report.latencyMs : undefined;
}

export function viewersTable(actions: Actions): Table<ViewerRow> {
  return new Table<ViewerRow>({
    label: "Viewers",
    key: ({ session }) => session.sessionId,
    columns: [...columns, actionsColumn(actions)],
    empty: [h("p", {}, "Nobody is watching.")],
  });
}

const columns: readonly Column<ViewerRow>[] = [
  { id: "viewer", label: "Viewer", order: ({ session }) => session.remote, cell: viewerCell },
  {
    ...{ id: "stream", label: "Stream" },
    order: ({ session }) => session.state?.stream ?? "",
    cell: textCell(
      ({ session }) => session.state?.stream || "none",
      ({ session }) => stateOf(session),
    ),
  },
  {
    ...{ id: "latency", label: "Latency", numeric: true },
    order: ({ session }) => latencyOf(session) ?? -1,
    cell: textCell(
      ({ session }) => {
        const latency = latencyOf(session);
        return latency === undefined ? "–" : formatMs(latency);
      },
      ({ session }) => {
        const target = session.report?.targetMs ?? 0;
        return target > 0 ? `aims at ${formatMs(target)}` : "";
      },
    ),
  },
  { id: "lag", label: "Lag", numeric: true, order: ({ session }) => session.lagMs, cell: lagCell },
  {
    ...{ id: "sent", label: "Sent", numeric: true },
    order: ({ session }) => Number(session.sentBytes),
    cell: textCell(
      ({ session }) => formatBytes(session.sentBytes),
      ({ bitsPerSecond }) => formatBitrate(bitsPerSecond ?? 0),
    ),
  },
  { id: "quality", label: "Quality", order: ({ session }) => session.state?.degradation ?? 0, cell: qualityCell },
  {
    ...{ id: "since", label: "Here for", numeric: true },
    order: ({ session, now }) => now - unixMs(session.openedAtUnixUs),
    cell: textCell(({ session, now }) => formatElapsed(now - unixMs(session.openedAtUnixUs))),
  },
];

function viewerCell(cell: HTMLTableCellElement, current: () => ViewerRow) {
  const { session } = current();
  const client = session.client || "unnamed client";
  const who = [session.subject, client].filter(Boolean).join(" · ");
  cell.append(
    h(
      "span",
      { class: "name", title: `Session ${session.sessionId}, since ${formatMoment(unixMs(session.openedAtUnixUs))}` },
      session.remote,
    ),
    h("small", { class: "clip", title: who }, who),
  );
  return () => {};
}

/** What the viewer does and hears: "Playing, muted", "Playing, waits for a click". */
function stateOf({ state, report }: AdminSession): string {
  if (!state) return "";
  const words = [playbackWord(state.playback)];
  const differs = report && report.state !== PlayerState.PLAYING && report.state !== PlayerState.UNSPECIFIED;
  if (state.playback === Playback.PLAYING && differs) words.push(playerWord(report.state));
  if (state.playback === Playback.PLAYING && !state.live) words.push("behind live");
  if (state.muted) words.push("muted");
  else if (state.volume < 1) words.push(`volume ${Math.round(state.volume * 100)}%`);
  if (report && !report.visible) words.push("out of sight");
  return words.join(", ");
}

function lagCell(cell: HTMLTableCellElement) {
  return ({ session }: ViewerRow) => {
    setText(cell, formatMs(session.lagMs));
    cell.toggleAttribute("data-warn", session.lagMs >= HIGH_LAG_MS);
  };
}

function qualityCell(cell: HTMLTableCellElement) {
  const step = h("span", { class: "step" });
  const trouble = h("small");
  cell.append(step, trouble);
  return ({ session: { state, report } }: ViewerRow) => {
    const degradation = state?.degradation ?? Degradation.NONE;
    setText(step, degradationWord(degradation));
    step.toggleAttribute("data-warn", degradation > Degradation.NONE);
    const facts: string[] = [];
    if (report && report.stalls > 0)
      facts.push(`${formatCount(report.stalls)} ${report.stalls === 1 ? "stall" : "stalls"}`);
    if (report && report.framesDropped > 0) facts.push(`${formatCount(report.framesDropped)} dropped`);
    setText(trouble, facts.join(", "));
  };
}

function actionsColumn(actions: Actions): Column<ViewerRow> {
  return {
    ...{ id: "actions", label: "Actions", actions: true },
    cell(cell, current) {
      const { session } = current();
      const control = h("button", { type: "button", class: "button action" }, icon("send"), h("span", {}, "Control"));
      const kick = h("button", { type: "button", class: "button action" }, icon("kick"), h("span", {}, "Kick"));
      for (const [button, title] of [
        [control, `Control the player of ${session.remote}`],
        [kick, `Kick ${session.remote}`],
      ] as const) {
        button.setAttribute("aria-label", title);
        button.title = title;
      }
      control.addEventListener("click", () => actions.direct({ kind: "session", session: current().session }));
      kick.addEventListener("click", () => actions.kickSession(current().session));
      cell.append(h("div", { class: "buttons" }, control, kick));
      return () => {};
    },
  };
}
