// The operator's service, and the token that it may ask for.

import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AdminService } from "@framewire/schema/admin";

export type Api = Client<typeof AdminService>;

/** A call that should be answered at once and is not within this fails. */
export const CALL_TIMEOUT_MS = 10_000;

/** The token is kept with the tab: it is never in an address, and gone when the tab is. */
const TOKEN_KEY = "framewire.admin.token";

/** The token that calls carry. */
export const token = {
  get: (): string => sessionStorage.getItem(TOKEN_KEY) ?? "",
  set: (value: string): void => sessionStorage.setItem(TOKEN_KEY, value),
  forget: (): void => sessionStorage.removeItem(TOKEN_KEY),
};

/** Makes the client of the page's own server. */
export function createApi(): Api {
  const transport = createConnectTransport({
    baseUrl: location.origin,
    useBinaryFormat: true,
    interceptors: [
      (next) => (request) => {
        const value = token.get();
        if (value) request.header.set("Authorization", `Bearer ${value}`);
        return next(request);
      },
    ],
  });
  return createClient(AdminService, transport);
}

/** Why the service does not answer as it should. */
export type Trouble =
  /** It cannot be reached, or is not able to answer now. */
  | { readonly kind: "lost"; readonly message: string }
  /** It asks for a token, or for another one. */
  | { readonly kind: "token"; readonly message: string }
  /** It is closed to this page, whatever the token. */
  | { readonly kind: "closed"; readonly message: string };

/** Tells apart what went wrong with a call that every operator may make. */
export function troubleOf(error: unknown): Trouble {
  const { code, rawMessage: message } = ConnectError.from(error);
  if (code === Code.Unauthenticated) return { kind: "token", message: token.get() ? message : "" };
  if (code === Code.PermissionDenied) return { kind: token.get() ? "token" : "closed", message };
  return { kind: "lost", message };
}

/** What an operator should read of a failed call. */
export function explain(error: unknown): string {
  const { code, rawMessage } = ConnectError.from(error);
  if (code === Code.DeadlineExceeded) return "The server did not answer in time.";
  if (rawMessage === "Failed to fetch" || rawMessage === "") return "The server cannot be reached.";
  return rawMessage.charAt(0).toUpperCase() + rawMessage.slice(1);
}
