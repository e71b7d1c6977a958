// Names of streams, and the addresses made from them.

/**
 * The name of a stream: 1 to 128 of the characters a-z A-Z 0-9 . _ ~ -, and /
 * between parts; no part is empty, `.` or `..`. It needs no escaping in a path
 * or a query.
 */
export type StreamName = string & { readonly type: "StreamName" };

/** The bound of the schema, Play.stream. */
const MAX_LENGTH = 128;
const PART = /^[A-Za-z0-9._~-]+$/;

/** Returns the text as a name, or undefined where it is none. */
export function parseStreamName(text: string): StreamName | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const isPart = (part: string) => PART.test(part) && part !== "." && part !== "..";
  return text.split("/").every(isPart) ? (text as StreamName) : undefined;
}

/**
 * Returns the name in the path of a page, such as `/watch/yard/gate` with
 * prefix `/watch/`, or undefined where the rest of the path is no name.
 */
export function streamOfPath(pathname: string, prefix: string): StreamName | undefined {
  if (!pathname.startsWith(prefix)) return undefined;
  try {
    return parseStreamName(decodeURIComponent(pathname.slice(prefix.length)).replace(/\/$/, ""));
  } catch {
    return undefined; // a stray percent sign
  }
}

/** Where a server can be reached, such as https://example.com. */
export type Origin = string;

/** Page with the player and what belongs to it. */
export const watchPath = (stream: StreamName): string => `/watch/${stream}`;
/** Page with the player alone, for iframes. */
export const embedPath = (stream: StreamName): string => `/embed/${stream}`;
/** The newest keyframe as a picture. */
export const thumbnailPath = (stream: StreamName): string => `/streams/${stream}.jpg`;
/** The stream as an endless MP4 file. */
export const mp4Path = (stream: StreamName): string => `/streams/${stream}.mp4`;

/** The endpoint of the protocol; with a stream, it plays from the start. */
export function socketUrl(origin: Origin, stream?: StreamName): string {
  const url = new URL("/ws", origin);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  if (stream !== undefined) return `${url.href}?stream=${stream}`;
  return url.href;
}
