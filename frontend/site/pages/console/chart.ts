// One chart over time, in the colours of the page.

import uPlot from "uplot";
import { h, setText } from "../../lib/dom.ts";
import { formatClock } from "./figures.ts";

export interface ChartLine {
  readonly label: string;
  /** Custom property with the colour. */
  readonly colour: string;
}

export interface ChartOptions {
  readonly title: string;
  readonly lines: readonly ChartLine[];
  /** A value as it stands above the chart. */
  readonly format: (value: number) => string;
  /** A value as it stands beside the axis. */
  readonly formatAxis: (value: number) => string;
  /** The axis reaches at least this far. */
  readonly atLeast: number;
  /** Values are counts: no ticks between them. */
  readonly whole?: boolean;
}

const HEIGHT = 150;
/** Between ticks of the value axis, in CSS pixels. */
const TICK_SPACE = 34;
const NO_VALUE = "–";
const FONT = "11px system-ui, sans-serif";

export class Chart {
  readonly element: HTMLElement;
  readonly #options: ChartOptions;
  readonly #plot: uPlot;
  readonly #host: HTMLDivElement;
  readonly #time = h("span", { class: "chart-time" });
  readonly #values: readonly HTMLElement[];
  #range: [number, number] = [0, 1];

  /** The element has to be on the page when the first values are set. */
  constructor(options: ChartOptions) {
    this.#options = options;
    this.#values = options.lines.map(() => h("output", {}, NO_VALUE));
    this.#host = h("div", { class: "chart-plot", role: "img" });
    this.element = h(
      "figure",
      { class: "chart" },
      h(
        "figcaption",
        {},
        h("span", { class: "chart-title" }, options.title),
        this.#time,
        h(
          "span",
          { class: "chart-values" },
          ...options.lines.map(({ label, colour }, i) => this.#readout(label, colour, i)),
        ),
      ),
      this.#host,
    );
    this.#plot = new uPlot(this.#settings(), [[], ...options.lines.map(() => [])], this.#host);
    new ResizeObserver(() => this.#plot.setSize({ width: this.#host.clientWidth, height: HEIGHT })).observe(this.#host);
    for (const media of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) {
      matchMedia(media).addEventListener("change", () => this.#plot.redraw(false, true));
    }
  }

  /** Shows columns of equal length; the range is in Unix seconds. */
  set(at: readonly number[], columns: readonly (readonly (number | null)[])[], range: [number, number]): void {
    this.#range = range;
    this.#plot.setData([[...at], ...columns.map((column) => [...column])]);
    this.#read();
    this.#host.setAttribute("aria-label", this.#summary(columns));
  }

  #readout(label: string, colour: string, index: number): HTMLElement {
    const key = h("i", { "aria-hidden": "true" });
    key.style.setProperty("--key", `var(${colour})`);
    const name = this.#options.lines.length > 1 ? [key, h("span", {}, label)] : [];
    return h("span", { class: "chart-value" }, ...name, this.#values[index]);
  }

  /** Shows the values under the pointer, or the newest ones. */
  #read(): void {
    const { data, cursor } = this.#plot;
    const pointed = cursor.idx ?? undefined;
    const index = pointed ?? data[0].length - 1;
    const at = data[0][index];
    setText(this.#time, pointed !== undefined && at !== undefined ? formatClock(at * 1000) : "");
    for (const [i, value] of this.#values.entries()) setText(value, this.#text(data[i + 1]?.[index]));
  }

  #text(value: number | null | undefined): string {
    return value === null || value === undefined ? NO_VALUE : this.#options.format(value);
  }

  #summary(columns: readonly (readonly (number | null)[])[]): string {
    const parts = this.#options.lines.map(({ label }, i) => {
      const known = (columns[i] ?? []).filter((value) => value !== null);
      return `${label}: now ${this.#text(columns[i]?.at(-1))}, at most ${this.#text(known.length > 0 ? Math.max(...known) : null)}`;
    });
    return `Chart of ${this.#options.title.toLowerCase()}. ${parts.join("; ")}`;
  }

  #settings(): uPlot.Options {
    const { lines, atLeast, formatAxis, whole } = this.#options;
    const colour = (name: string) => () => this.#colour(name);
    const axis = {
      ...{ font: FONT, stroke: colour("--text-soft"), ticks: { show: false } },
      grid: { stroke: colour("--line"), width: 1 },
    };
    return {
      ...{ width: 320, height: HEIGHT, legend: { show: false }, padding: [8, 14, 0, 0] },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 }, sync: { key: "console" } },
      scales: {
        x: { time: true, range: () => this.#range },
        y: { range: (_, __, most) => [0, Math.max(atLeast, (most ?? 0) * 1.1)] },
      },
      axes: [
        { ...axis, size: 24, gap: 4, grid: { show: false }, space: 48, values: (_, times) => times.map(minute) },
        {
          ...axis,
          ...{
            size: 58,
            gap: 6,
            space: TICK_SPACE,
            ...(whole && { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] }),
          },
          values: (_, values) => values.map(formatAxis),
        },
      ],
      series: [
        {},
        ...lines.map((line) => ({
          ...{ label: line.label, stroke: colour(line.colour), width: 1.75, points: { show: false } },
          ...(lines.length === 1 && { fill: () => this.#colour(line.colour, 14) }),
        })),
      ],
      hooks: { setCursor: [() => this.#read()] },
    };
  }

  /** A canvas takes no custom properties: the element resolves them. */
  #colour(name: string, percent = 100): string {
    this.#host.style.setProperty("accent-color", `color-mix(in srgb, var(${name}) ${percent}%, transparent)`);
    return getComputedStyle(this.#host).accentColor;
  }
}

const MINUTE = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const minute = (seconds: number): string => MINUTE.format(seconds * 1000);
