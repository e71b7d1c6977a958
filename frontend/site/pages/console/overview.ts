// The figures at the top: the server at a glance, and the charts of the last hour.

import { h, setText } from "../../lib/dom.ts";
import { formatBitrate } from "../../lib/format.ts";
import { Chart } from "./chart.ts";
import type { Snapshot } from "./feed.ts";
import { formatBytes, formatCount, formatElapsed, formatMoment, formatMs, unixMs } from "./figures.ts";
import { type Columns, KEPT_SECONDS, rateOf, Samples } from "./samples.ts";
import { latencyOf } from "./viewers.ts";

/** Spans that the charts can show, in seconds. */
const SPANS = [
  { label: "5 min", seconds: 300 },
  { label: "15 min", seconds: 900 },
  { label: "1 h", seconds: KEPT_SECONDS },
] as const;

type ChartColumn = Exclude<keyof Columns, "at">;

export class Charts {
  readonly #samples = new Samples();
  readonly #charts: readonly { readonly chart: Chart; readonly columns: readonly ChartColumn[] }[];
  #before: { bytes: bigint; atUs: bigint } | undefined;
  #span: number = SPANS[0].seconds;

  constructor(container: HTMLElement, spans: HTMLElement) {
    const viewers = new Chart({
      ...{ title: "Viewers", atLeast: 4, whole: true, format: formatCount, formatAxis: formatCount },
      lines: [{ label: "Viewers", colour: "--accent" }],
    });
    const bandwidth = new Chart({
      ...{ title: "Bandwidth", atLeast: 1e6 },
      format: (value) => formatBitrate(value) || "0",
      formatAxis: (value) => (value === 0 ? "0" : formatBitrate(value).replace("bit/s", "")),
      lines: [{ label: "Bandwidth", colour: "--good" }],
    });
    const latency = new Chart({
      ...{
        title: "Latency",
        atLeast: 500,
        format: formatMs,
        formatAxis: (value) => (value === 0 ? "0" : formatMs(value)),
      },
      lines: [
        { label: "p50", colour: "--accent" },
        { label: "p95", colour: "--warn" },
        { label: "p99", colour: "--live" },
      ],
    });
    this.#charts = [
      { chart: viewers, columns: ["viewers"] },
      { chart: bandwidth, columns: ["bitsPerSecond"] },
      { chart: latency, columns: ["p50", "p95", "p99"] },
    ];
    container.append(...this.#charts.map(({ chart }) => chart.element));
    this.#makeSpans(spans);
  }

  /** Takes a sample, and returns the bits per second to all viewers. */
  add({ at, server, sessions }: Snapshot): number | null {
    const now = { bytes: server.sentBytes, atUs: server.nowUnixUs };
    const bitsPerSecond = rateOf(this.#before, now);
    this.#before = now;
    const latenciesMs = sessions.map(latencyOf).filter((latency) => latency !== undefined);
    this.#samples.add({ at: at / 1000, viewers: server.sessions, bitsPerSecond, latenciesMs });
    this.#draw();
    return bitsPerSecond;
  }

  /** The newest of the middle latencies, in milliseconds. */
  get latency(): number | null {
    return this.#samples.columns.p50.at(-1) ?? null;
  }

  #draw(): void {
    const { at, ...columns } = this.#samples.columns;
    const to = at.at(-1) ?? Date.now() / 1000;
    for (const { chart, columns: names } of this.#charts) {
      const shown = names.map((name) => columns[name]);
      chart.set(at, shown, [to - this.#span, to]);
    }
  }

  #makeSpans(container: HTMLElement): void {
    const buttons = SPANS.map(({ label, seconds }) => {
      const button = h(
        "button",
        { type: "button", class: "chip", "aria-pressed": String(seconds === this.#span) },
        label,
      );
      button.addEventListener("click", () => {
        this.#span = seconds;
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
        this.#draw();
      });
      return button;
    });
    container.append(...buttons);
  }
}

/** The facts of the server, as terms and what they are now. */
export class ServerFacts {
  readonly #values = new Map<string, HTMLElement>();
  readonly #list: HTMLElement;

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  show({ server }: Snapshot): void {
    const { startedAtUnixUs, nowUnixUs, commit } = server;
    this.#set("Version", commit ? `${server.version} (${commit.slice(0, 9)})` : server.version);
    this.#set("Go", server.goVersion);
    this.#set(
      "Up for",
      formatElapsed(unixMs(nowUnixUs - startedAtUnixUs)),
      `since ${formatMoment(unixMs(startedAtUnixUs))}`,
    );
    this.#set("Sent in all", formatBytes(server.sentBytes));
    this.#set("Memory", formatBytes(server.memoryBytes));
    this.#set("Goroutines", formatCount(server.goroutines));
    if (server.descriptors > 0) this.#set("Open files", formatCount(server.descriptors));
  }

  #set(term: string, value: string, title = ""): void {
    let element = this.#values.get(term);
    if (!element) {
      element = h("dd");
      this.#values.set(term, element);
      this.#list.append(h("div", {}, h("dt", {}, term), element));
    }
    setText(element, value);
    if (title) element.title = title;
  }
}
