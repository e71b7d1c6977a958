/**
 * Makes a WebSocket URL of what people write: `wss://host/ws?stream=NAME`,
 * `https://host/ws`, a path, or a server's origin alone, which gets the path
 * /ws.
 *
 * @throws TypeError when it is no URL, or of another scheme.
 */
export function endpoint(url: string | URL, base?: string): URL {
  const result = new URL(url, base ?? globalThis.location?.href);
  if (result.protocol === "http:") result.protocol = "ws:";
  else if (result.protocol === "https:") result.protocol = "wss:";
  else if (result.protocol !== "ws:" && result.protocol !== "wss:") {
    throw new TypeError(`${result.href}: the scheme must be ws, wss, http or https`);
  }
  if (result.pathname === "/") result.pathname = "/ws";
  result.hash = "";
  return result;
}

/** A form of a stream that plays without the protocol: video for players, pictures for everything. */
export type PlainFormat = "mp4" | "mjpeg" | "jpg";

/** Where the stream that an endpoint names is over plain HTTP, with its token; undefined where it names none. */
export function plainUrl(endpoint: URL, format: PlainFormat): URL | undefined {
  const stream = endpoint.searchParams.get("stream");
  if (!stream) return undefined;
  const result = new URL(`streams/${stream.split("/").map(encodeURIComponent).join("/")}.${format}`, endpoint);
  result.protocol = endpoint.protocol === "wss:" ? "https:" : "http:";
  const token = endpoint.searchParams.get("token");
  if (token) result.searchParams.set("token", token);
  return result;
}
