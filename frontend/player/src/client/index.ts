/**
 * The headless client: a session with a Framewire server, with typed commands
 * and events and without a DOM. It runs in pages, workers, and Node 22.
 *
 * @module
 */
export { FramewireClient } from "./client.ts";
export { decodableTypes } from "./decodable.ts";
export { FramewireError, type FramewireErrorCode } from "./errors.ts";
export type * from "./types.ts";
export { endpoint } from "./url.ts";

import { FramewireClient } from "./client.ts";
import type { ConnectOptions } from "./types.ts";

/**
 * Opens a session with a server, and keeps it open until close is called or
 * the server ends it for good.
 *
 * @param url `wss://host/ws?stream=NAME`; see endpoint.
 */
export function connect(url: string | URL, options: ConnectOptions = {}): FramewireClient {
  return new FramewireClient(url, options);
}
