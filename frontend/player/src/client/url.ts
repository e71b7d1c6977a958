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
