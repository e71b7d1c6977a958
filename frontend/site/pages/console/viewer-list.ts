// The table of viewers, with what narrows it down.

import { h, setText } from "../../lib/dom.ts";
import type { Actions } from "./actions.ts";
import { formatCount } from "./figures.ts";
import type { Table } from "./table.ts";
import { type ViewerRow, viewersTable } from "./viewers.ts";

/** With fewer viewers than this there is nothing to narrow down. */
const FILTER_FROM = 6;

export class ViewerList {
  readonly element: HTMLElement;
  readonly #table: Table<ViewerRow>;
  readonly #note = h("p", { class: "table-note", hidden: true });
  readonly #filter = h("input", {
    ...{ type: "search", placeholder: "Stream, address, client…", "aria-label": "Narrow down the viewers" },
    ...{ autocomplete: "off", spellcheck: "false", hidden: true },
  });
  #rows: readonly ViewerRow[] = [];
  #total = 0;

  constructor(tools: HTMLElement, actions: Actions) {
    this.#table = viewersTable(actions);
    this.element = h("div", {}, this.#table.element, this.#note);
    tools.prepend(this.#filter);
    this.#filter.addEventListener("input", () => this.#refresh());
  }

  /** Shows these viewers, of so many in all. */
  show(rows: readonly ViewerRow[], total: number): void {
    this.#rows = rows;
    this.#total = total;
    this.#refresh();
  }

  #refresh(): void {
    const wanted = this.#filter.value.trim().toLowerCase();
    this.#filter.hidden = this.#total < FILTER_FROM && wanted === "";
    const rows = wanted ? this.#rows.filter(({ session }) => matches(session, wanted)) : this.#rows;
    this.#table.show(rows);
    const notes: string[] = [];
    if (wanted) notes.push(`${formatCount(rows.length)} of ${formatCount(this.#rows.length)} viewers match.`);
    if (this.#total > this.#rows.length) {
      notes.push(`The ${formatCount(this.#rows.length)} oldest of ${formatCount(this.#total)} viewers are listed.`);
    }
    setText(this.#note, notes.join(" "));
    this.#note.hidden = notes.length === 0;
  }
}

function matches({ sessionId, remote, client, subject, state }: ViewerRow["session"], wanted: string): boolean {
  return [sessionId, remote, client, subject, state?.stream ?? ""].some((text) => text.toLowerCase().includes(wanted));
}
