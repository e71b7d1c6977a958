import { Host } from "./host.ts";
import type { ToHost, ToPage } from "./messages.ts";

/** The global variable in which a worker keeps messages that come before it can serve. */
export const earlyMessages = "framewireEarly";

/** The part of a dedicated worker's global scope that is used. */
interface WorkerScope {
  [earlyMessages]?: MessageEvent<ToHost>[];
  onmessage: ((event: MessageEvent<ToHost>) => void) | null;
  postMessage(message: ToPage | "ready", transfer: Transferable[]): void;
}

/** True in a dedicated worker. */
export function inWorker(): boolean {
  return (
    typeof window === "undefined" && typeof (globalThis as { importScripts?: unknown }).importScripts === "function"
  );
}

/** Serves one player from inside a worker. */
export function serve(): void {
  const scope = globalThis as unknown as WorkerScope;
  let host: Host | undefined;
  const receive = ({ data }: MessageEvent<ToHost>): void => {
    if (data.type === "open") {
      host?.close();
      host = new Host(data.options, (message, transfer = []) => scope.postMessage(message, transfer));
    } else {
      host?.receive(data);
    }
  };
  scope.onmessage = receive;
  scope[earlyMessages]?.forEach(receive);
  scope.postMessage("ready", []);
}
