// The options of an embedded player: in the address of /embed/{stream}, and in
// the code that the embed dialog shows.

import { embedPath, mp4Path, type Origin, type StreamName, socketUrl } from "./stream-name.ts";

/** What an embedder chooses. */
export interface EmbedOptions {
  readonly autoplay: boolean;
  readonly muted: boolean;
  readonly controls: boolean;
  /** Wanted distance from live in milliseconds, or "auto". */
  readonly latency: "auto" | number;
}

/** What holds where the address says nothing: it plays by itself, and may. */
export const DEFAULT_OPTIONS: EmbedOptions = { autoplay: true, muted: true, controls: true, latency: "auto" };

/** The bound of the schema, SetLatencyTarget.latency_target_ms. */
export const MAX_LATENCY_MS = 60_000;

/**
 * Reads options from a query such as `?muted=0&latency=500`. A name alone, as
 * in `?muted`, is on; `0`, `false`, `no` and `off` are off. What cannot be
 * understood counts as not given.
 */
export function parseEmbedOptions(query: URLSearchParams): EmbedOptions {
  return {
    autoplay: parseSwitch(query.get("autoplay"), DEFAULT_OPTIONS.autoplay),
    muted: parseSwitch(query.get("muted"), DEFAULT_OPTIONS.muted),
    controls: parseSwitch(query.get("controls"), DEFAULT_OPTIONS.controls),
    latency: parseLatency(query.get("latency")),
  };
}

function parseSwitch(text: string | null, fallback: boolean): boolean {
  switch (text?.trim().toLowerCase()) {
    case "":
    case "1":
    case "true":
    case "yes":
    case "on":
      return true;
    case "0":
    case "false":
    case "no":
    case "off":
      return false;
    default:
      return fallback;
  }
}

function parseLatency(text: string | null): EmbedOptions["latency"] {
  if (text === null || !/^\d{1,6}$/.test(text)) return DEFAULT_OPTIONS.latency;
  const milliseconds = Number(text);
  return milliseconds > 0 && milliseconds <= MAX_LATENCY_MS ? milliseconds : DEFAULT_OPTIONS.latency;
}

/** The address of the player alone, with what differs from the defaults. */
export function embedUrl(origin: Origin, stream: StreamName, options: EmbedOptions): string {
  const url = new URL(embedPath(stream), origin);
  for (const name of ["autoplay", "muted", "controls"] as const) {
    if (options[name] !== DEFAULT_OPTIONS[name]) url.searchParams.set(name, options[name] ? "1" : "0");
  }
  if (options.latency !== DEFAULT_OPTIONS.latency) url.searchParams.set("latency", String(options.latency));
  return url.href;
}

/** Code for a page of any origin that the server allows: the player as an element. */
export function elementSnippet(origin: Origin, stream: StreamName, options: EmbedOptions): string {
  const attributes = [`src="${socketUrl(origin, stream)}"`];
  for (const name of ["autoplay", "muted"] as const) {
    if (options[name]) attributes.push(name);
  }
  if (!options.controls) attributes.push("nocontrols");
  if (options.latency !== "auto") attributes.push(`latency="${options.latency}"`);
  return [
    `<script type="module" src="${new URL("/player.js", origin).href}"></script>`,
    `<framewire-player ${attributes.join(" ")}></framewire-player>`,
  ].join("\n");
}

/** Code for a page that takes no scripts. */
export function iframeSnippet(origin: Origin, stream: StreamName, options: EmbedOptions): string {
  const address = escapeAttribute(embedUrl(origin, stream, options));
  return [
    `<iframe src="${address}"`,
    `  title="${stream}" width="640" height="360" style="border: 0"`,
    `  allow="autoplay; fullscreen; picture-in-picture"></iframe>`,
  ].join("\n");
}

/** Code for a browser's own player; latency is then the browser's business. */
export function videoSnippet(origin: Origin, stream: StreamName, options: EmbedOptions): string {
  const switches = (["autoplay", "muted", "controls"] as const).filter((name) => options[name]);
  return `<video src="${mp4Url(origin, stream)}" ${[...switches, "playsinline"].join(" ")}></video>`;
}

/** The stream as an endless MP4 file, for players such as VLC and mpv. */
export function mp4Url(origin: Origin, stream: StreamName): string {
  return new URL(mp4Path(stream), origin).href;
}

function escapeAttribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
}
