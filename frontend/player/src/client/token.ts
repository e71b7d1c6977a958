import type { Millis, Moment } from "../units.ts";

/** A token is renewed so long before it expires, or after this part of its time if that is short. */
const lead: Millis = 30_000;
const partUsed = 0.8;
/** No timer runs longer: setTimeout counts in 32 bits. */
const longest: Millis = 2 ** 31 - 1;

/** When a JSON Web Token expires (RFC 7519 4.1.4); undefined where it does not say, and for tokens of another kind. */
export function expiryOf(token: string): Moment | undefined {
  const payload = token.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/");
  if (!payload) return undefined;
  try {
    const { exp } = JSON.parse(atob(payload)) as { exp?: unknown };
    return typeof exp === "number" ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

/** How long to wait before a token is renewed that expires at a time of the server's clock. */
export function renewAfter(expiry: Moment, serverNow: Moment): Millis {
  const left = Math.max(0, expiry - serverNow);
  return Math.min(Math.max(left - lead, left * partUsed), longest);
}
