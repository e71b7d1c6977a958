/**
 * Publishing: a stream sent to a Framewire server, from coded samples as
 * WebCodecs makes them. Without a DOM: it runs in pages, workers, and Node 22.
 *
 * @module
 */
export { now } from "../units.ts";
export { Publisher } from "./publisher.ts";
export type * from "./types.ts";

import { Publisher } from "./publisher.ts";
import type { PublishOptions } from "./types.ts";

/**
 * Publishes a stream, over connections that are made anew when they break, until
 * finish or close is called or the server refuses for good.
 *
 * @param url `wss://host/ws`, or the server's origin.
 */
export function publish(url: string | URL, options: PublishOptions): Publisher {
  return new Publisher(url, options);
}
