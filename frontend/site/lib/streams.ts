// The list of streams as the pages show it.

import type { ConnectionState, FramewireClient, StreamInfo } from "@framewire/player/client";
import { formatCodec } from "./format.ts";
import { parseStreamName, type StreamName } from "./stream-name.ts";

/** What a page says of one stream. */
export interface Stream {
  readonly name: StreamName;
  readonly status: "starting" | "live" | "offline";
  /** In this status since then, in milliseconds of the server's clock; 0 when not known. */
  readonly since: number;
  readonly viewers: number;
  /** Bits per second over the last seconds. */
  readonly bitrate: number;
  /** Milliseconds from capture to display, as half of the viewers have it or less; 0 when not known. */
  readonly latency: number;
  /** Of the picture and the sound: size, frame rate, codecs. Empty while it is not live. */
  readonly facts: readonly string[];
}

/** What is said of a track, whichever code read it. */
export interface TrackFacts {
  readonly codec: string;
  readonly details:
    | { readonly case: "video"; readonly value: { width: number; height: number; frameRate: number } }
    | { readonly case: "audio" | undefined; readonly value?: unknown };
}

/** Whether what a page shows of the server is true; what has ended does not come back by itself. */
export type Link = "connecting" | "open" | "lost" | "ended";

export interface StreamListener {
  /** The list changed; live streams come first, and otherwise they are ordered by name. */
  streams(streams: readonly Stream[]): void;
  /** The connection changed. The message is for people, or empty. */
  link(link: Link, message: string): void;
}

/** Keeps the listener told of the server's streams for as long as the client lives. */
export function followStreams(client: FramewireClient, listener: StreamListener): void {
  client.on("streams", (infos) => listener.streams(summarize(infos)));
  let subscribed = false;
  client.on("connection", (state) => {
    listener.link(linkOf(state), "message" in state ? state.message : "");
    if (state.phase !== "open" || subscribed) return;
    client.subscribeStreams(true).then(
      (infos) => {
        subscribed = true; // for all connections that follow
        listener.streams(summarize(infos));
      },
      (error: Error) => console.warn(`framewire: the list of streams: ${error.message}`),
    );
  });
}

function linkOf(state: ConnectionState): Link {
  switch (state.phase) {
    case "open":
      return "open";
    case "connecting":
      return state.attempt > 1 ? "lost" : "connecting";
    case "reconnecting":
      return "lost";
    case "closed":
      return "ended";
    default:
      state satisfies never;
      return "lost";
  }
}

// The numbers of StreamStatus in the schema, which a test compares. The
// generated enum itself would bring the protobuf runtime into every page.
const STATUSES: Readonly<Record<number, Stream["status"]>> = { 1: "starting", 2: "live", 3: "offline" };
const ORDER: Readonly<Record<Stream["status"], number>> = { live: 0, starting: 1, offline: 2 };

/**
 * Turns what the server sent into what pages show. Streams in a status that
 * this version does not know are left out: a newer server speaks.
 */
export function summarize(infos: readonly StreamInfo[]): readonly Stream[] {
  const streams: Stream[] = [];
  for (const info of infos) {
    const name = parseStreamName(info.name);
    const status = STATUSES[info.status];
    if (name === undefined || status === undefined) continue;
    const { viewers, bitrateBps: bitrate, latencyMs: latency } = info;
    const facts = factsOf(info.tracks);
    streams.push({ name, status, since: info.sinceUnixUs / 1000, viewers, bitrate, latency, facts });
  }
  return streams.sort((a, b) => ORDER[a.status] - ORDER[b.status] || (a.name < b.name ? -1 : 1));
}

/** "1280×720", "30 fps", "H.264 + AAC": the first track of a kind stands for its alternatives. */
export function factsOf(tracks: readonly TrackFacts[]): readonly string[] {
  const video = tracks.find(({ details }) => details.case === "video");
  const audio = tracks.find(({ details }) => details.case === "audio");
  const facts: string[] = [];
  if (video?.details.case === "video") {
    const { width, height, frameRate } = video.details.value;
    facts.push(`${width}×${height}`);
    if (frameRate > 0) facts.push(`${Math.round(frameRate * 100) / 100} fps`);
  }
  const codecs = [video, audio].flatMap((track) => (track ? [formatCodec(track.codec)] : []));
  if (codecs.length > 0) facts.push(codecs.join(" + "));
  return facts;
}

/** The status in a word or two. */
export function describeStatus(stream: Stream): string {
  switch (stream.status) {
    case "live":
      return "LIVE";
    case "starting":
      return "Starting";
    case "offline":
      return "Offline";
    default:
      return stream.status satisfies never;
  }
}
