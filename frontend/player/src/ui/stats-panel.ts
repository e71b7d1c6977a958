import type { Stats } from "../status.ts";
import { type Millis, now } from "../units.ts";
import { codecName } from "./messages.ts";

/** The graph shows the last minute. */
const span: Millis = 60_000;
/** Gaps and recoveries listed. */
const maxListed = 4;
const listedFor: Millis = 120_000;

interface Point {
  readonly at: number;
  readonly latency: number | undefined;
  readonly buffer: number;
  readonly stalls: number;
}

/** The statistics over the picture: figures, a graph of the latency, and what went wrong lately. */
export class StatsPanel {
  readonly #list: HTMLElement;
  readonly #events: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #cells = new Map<string, HTMLElement>();
  #points: Point[] = [];

  constructor(panel: HTMLElement) {
    const find = <T extends Element>(selector: string): T => {
      const element = panel.querySelector<T>(selector);
      if (!element) throw new Error(`the template has no ${selector}`);
      return element;
    };
    this.#list = find("dl");
    this.#events = find("ul");
    this.#canvas = find("canvas");
  }

  /** Remembers figures for the graph, and shows them if the panel is open. */
  update(stats: Stats, open: boolean): void {
    const { at, latency, buffer, stalls } = stats;
    this.#points.push({ at, latency, buffer, stalls });
    if ((this.#points[0]?.at ?? at) < at - span - 1000) this.#points = this.#points.filter((p) => p.at >= at - span);
    if (!open) return;
    for (const [name, value] of rows(stats)) this.#row(name, value);
    this.#showEvents(stats);
    this.#draw();
  }

  #row(name: string, value: string): void {
    let cell = this.#cells.get(name);
    if (!cell) {
      const term = document.createElement("dt");
      term.textContent = name;
      cell = document.createElement("dd");
      if (name === "Latency") cell.dataset.big = "";
      this.#list.append(term, cell);
      this.#cells.set(name, cell);
    }
    if (cell.textContent !== value) cell.textContent = value;
  }

  #showEvents({ gaps, recoveries }: Stats): void {
    const entries = [
      ...gaps.map((g) => ({
        at: g.at,
        text: `gap of ${(g.duration * 1000).toFixed(0)} ms: ${g.reason.replaceAll("_", " ")}`,
      })),
      ...recoveries
        .filter((r) => r.action !== "stall")
        .map((r) => ({ at: r.at, text: `${r.action.replaceAll("_", " ")}: ${r.cause}` })),
    ];
    const lately = entries.filter((e) => e.at > now() - listedFor).sort((a, b) => b.at - a.at);
    const items = lately.slice(0, maxListed).map(({ at, text }) => {
      const item = document.createElement("li");
      item.textContent = `${new Date(at).toLocaleTimeString()} ${text}`;
      return item;
    });
    this.#events.replaceChildren(...items);
  }

  #draw(): void {
    const canvas = this.#canvas;
    const scale = devicePixelRatio || 1;
    const { clientWidth, clientHeight } = canvas;
    const width = (canvas.width = Math.round(clientWidth * scale));
    const height = (canvas.height = Math.round(clientHeight * scale));
    const context = canvas.getContext("2d");
    if (!context) return;
    const known = this.#points.flatMap((p) => (p.latency === undefined ? [] : [p.latency])).sort((a, b) => a - b);
    // A look back would flatten the rest.
    const top = Math.max(200, 3 * (known[known.length >> 1] ?? 0));
    const end = this.#points.at(-1)?.at ?? now();
    const x = (at: number) => width - ((end - at) / span) * width;
    const y = (value: number) => height - (value / top) * height;
    context.lineWidth = 1.5 * scale;
    this.#line(context, "rgb(255 255 255 / .35)", (p) => p.buffer, x, y);
    this.#line(context, "#7aa2ff", (p) => p.latency, x, y);
    context.fillStyle = "#ff4757";
    this.#points.forEach((p, i) => {
      if (i > 0 && p.stalls > (this.#points[i - 1]?.stalls ?? 0))
        context.fillRect(x(p.at) - scale, 0, 2 * scale, height);
    });
    context.fillStyle = "rgb(255 255 255 / .6)";
    context.font = `${10 * scale}px system-ui`;
    context.fillText(`${Math.round(top)} ms`, 4 * scale, 12 * scale);
  }

  #line(
    context: CanvasRenderingContext2D,
    colour: string,
    value: (point: Point) => number | undefined,
    x: (at: number) => number,
    y: (value: number) => number,
  ): void {
    context.strokeStyle = colour;
    context.beginPath();
    let drawing = false;
    for (const point of this.#points) {
      const v = value(point);
      if (v === undefined) drawing = false;
      else if (drawing) context.lineTo(x(point.at), y(v));
      else {
        context.moveTo(x(point.at), y(v));
        drawing = true;
      }
    }
    context.stroke();
  }
}

function rows(stats: Stats): [name: string, value: string][] {
  const ms = (value: number | undefined) => (value === undefined ? "–" : `${Math.round(value)} ms`);
  const { degradation } = stats;
  const thinned = degradation === "keyframes_only" || degradation === "audio_only";
  return [
    ["Latency", ms(stats.latency)],
    ["Buffer", `${ms(stats.buffer)} (aims at ${ms(stats.target)})`],
    ["Playback rate", `${stats.rate.toFixed(2)}×`],
    ["Jitter, round trip", `${ms(stats.jitter)}, ${ms(stats.roundTrip)}`],
    [
      "Bitrate",
      stats.bitrate >= 1e6 ? `${(stats.bitrate / 1e6).toFixed(2)} Mbit/s` : `${Math.round(stats.bitrate / 1e3)} kbit/s`,
    ],
    ["Frames", `${stats.framesPerSecond.toFixed(0)} /s, ${stats.framesDropped} of ${stats.framesDecoded} dropped`],
    ["Resolution", stats.width ? `${stats.width} × ${stats.height}` : "–"],
    ["Codecs", [stats.videoCodec, stats.audioCodec].filter(Boolean).map(codecName).join(", ") || "–"],
    ["Stalls", `${stats.stalls}, ${ms(stats.stalled)} in all`],
    ["Sent", thinned ? degradation.replaceAll("_", " ") : "everything"],
    ["Reconnects", String(stats.reconnects)],
    ["Server", `${stats.server || "–"} (${stats.thread})`],
  ];
}
