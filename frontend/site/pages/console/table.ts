// A table whose rows live as long as what they show: cells change in place, so
// that neither focus nor the place of a button is lost when figures do.

import { type Child, h, setText } from "../../lib/dom.ts";

export interface Column<Row> {
  readonly id: string;
  readonly label: string;
  /** Figures stand at the end of their cells. */
  readonly numeric?: boolean;
  /** Cells hold buttons, and the heading is for those who do not see. */
  readonly actions?: boolean;
  /** What rows are ordered by; a column without it cannot be chosen. */
  readonly order?: (row: Row) => number | string;
  /** Fills a cell, once. What it returns brings the cell up to date; current tells the row at any time. */
  readonly cell: (cell: HTMLTableCellElement, current: () => Row) => (row: Row) => void;
}

export interface TableOptions<Row> {
  /** Says what the table lists. */
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly key: (row: Row) => string;
  /** The column that rows are ordered by at first; without, they stay as they are given. */
  readonly orderBy?: string;
  /** Shown in place of rows. */
  readonly empty: readonly Child[];
}

/** Rows that are shown before the operator asks for more. */
const FIRST_ROWS = 100;

interface Shown<Row> {
  row: Row;
  readonly element: HTMLTableRowElement;
  readonly update: (row: Row) => void;
}

/** A cell with nothing but text; small is the line below it. */
export function textCell<Row>(text: (row: Row) => string, small?: (row: Row) => string): Column<Row>["cell"] {
  return (cell) => {
    const main = h("span");
    const below = small && h("small");
    cell.append(main, ...(below ? [below] : []));
    return (row) => {
      setText(main, text(row));
      if (!below || !small) return;
      const line = small(row);
      setText(below, line);
      below.hidden = line === "";
    };
  };
}

export class Table<Row> {
  readonly element: HTMLElement;
  readonly #options: TableOptions<Row>;
  readonly #body = h("tbody", { role: "rowgroup" });
  readonly #heads = new Map<string, HTMLTableCellElement>();
  readonly #shown = new Map<string, Shown<Row>>();
  readonly #empty: HTMLElement;
  readonly #more = h("button", { type: "button", class: "button more", hidden: true });
  readonly #table: HTMLTableElement;
  #rows: readonly Row[] = [];
  #most = FIRST_ROWS;
  #orderBy: string | undefined;
  #descending = false;

  constructor(options: TableOptions<Row>) {
    this.#options = options;
    this.#orderBy = options.orderBy;
    this.#empty = h("div", { class: "table-empty", hidden: true }, ...options.empty);
    // Roles are spelled out: on narrow screens cells are laid out as blocks, which would take them away.
    this.#table = h(
      "table",
      { class: "table", role: "table", "aria-label": options.label },
      h(
        "thead",
        { role: "rowgroup" },
        h("tr", { role: "row" }, ...options.columns.map((column) => this.#head(column))),
      ),
      this.#body,
    );
    this.#more.addEventListener("click", () => {
      this.#most += FIRST_ROWS;
      this.show(this.#rows);
    });
    this.element = h("div", { class: "table-box" }, this.#table, this.#empty, this.#more);
    this.#markOrder();
  }

  /** Shows these rows. */
  show(rows: readonly Row[]): void {
    this.#rows = rows;
    const ordered = this.#ordered(rows).slice(0, this.#most);
    const keys = new Set(ordered.map(this.#options.key));
    for (const [key, { element }] of this.#shown) {
      if (keys.has(key)) continue;
      element.remove();
      this.#shown.delete(key);
    }
    for (const row of ordered) this.#update(row);
    if (!this.#held()) this.#arrange(ordered);
    this.#table.hidden = rows.length === 0;
    this.#empty.hidden = rows.length > 0;
    this.#more.hidden = rows.length <= this.#most;
    setText(this.#more, `Show more: ${(rows.length - ordered.length).toLocaleString("en")} are not shown`);
  }

  #update(row: Row): void {
    const key = this.#options.key(row);
    let shown = this.#shown.get(key);
    if (!shown) {
      shown = this.#make(row);
      this.#shown.set(key, shown);
      this.#body.append(shown.element);
    }
    shown.row = row;
    shown.update(row);
  }

  #make(row: Row): Shown<Row> {
    const updates: ((row: Row) => void)[] = [];
    const element = h("tr", { role: "row" });
    const shown = {
      ...{ row, element },
      update: (next: Row) => {
        for (const update of updates) update(next);
      },
    };
    for (const { label, numeric, actions, cell } of this.#options.columns) {
      const td = h("td", {
        ...{ role: "cell", "data-label": actions ? undefined : label },
        class: actions ? "actions" : numeric ? "numeric" : undefined,
      });
      updates.push(cell(td, () => shown.row));
      element.append(td);
    }
    return shown;
  }

  /** Whether rows have to stay where they are: somebody is about to press something. */
  #held(): boolean {
    return this.#body.matches(":hover") || this.#body.contains(document.activeElement);
  }

  #arrange(ordered: readonly Row[]): void {
    for (const [i, row] of ordered.entries()) {
      const element = this.#shown.get(this.#options.key(row))?.element;
      const place = this.#body.children[i] ?? null;
      if (element && place !== element) this.#body.insertBefore(element, place);
    }
  }

  #ordered(rows: readonly Row[]): readonly Row[] {
    const order = this.#options.columns.find(({ id }) => id === this.#orderBy)?.order;
    if (!order) return rows;
    const sign = this.#descending ? -1 : 1;
    return rows.toSorted((a, b) => {
      const [x, y] = [order(a), order(b)];
      return x === y ? 0 : x < y ? -sign : sign;
    });
  }

  #head({ id, label, numeric, actions, order }: Column<Row>): HTMLTableCellElement {
    const head = h("th", { role: "columnheader", scope: "col", class: numeric ? "numeric" : undefined });
    this.#heads.set(id, head);
    if (!order) {
      head.append(actions ? h("span", { class: "visually-hidden" }, label) : label);
      return head;
    }
    const button = h("button", { type: "button", class: "sort" }, label);
    button.addEventListener("click", () => {
      // Figures are of interest from the largest, names from the first.
      if (this.#orderBy === id) this.#descending = !this.#descending;
      else [this.#orderBy, this.#descending] = [id, numeric === true];
      this.#markOrder();
      this.show(this.#rows);
    });
    head.append(button);
    return head;
  }

  #markOrder(): void {
    for (const [id, head] of this.#heads) {
      if (id === this.#orderBy) head.setAttribute("aria-sort", this.#descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }
}
