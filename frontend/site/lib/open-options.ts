import type { OpenOptions } from "../../player/src/host/messages.ts";
import type { EmbedOptions } from "./embed-options.ts";
import { type Origin, type StreamName, socketUrl } from "./stream-name.ts";

/** What the element opens once setUpPlayer has set its attributes. */
export function openOptions(origin: Origin, stream: StreamName, { muted, latency }: EmbedOptions): OpenOptions {
  return {
    url: socketUrl(origin, stream),
    settings: { volume: 1, muted, latencyTargetMs: latency === "auto" ? 0 : latency },
    hasToken: false,
    visible: true,
  };
}
