import { Host } from "./host.ts";
import type { ToHost, ToPage } from "./messages.ts";
import { earlyMessages, earlySocket } from "./stub.ts";

/** The part of a dedicated worker's global scope that is used. */
interface WorkerScope {
  [earlyMessages]?: MessageEvent<ToHost>[];
  [earlySocket]?: WebSocket;
  onmessage: ((event: MessageEvent<ToHost>) => void) | null;
  postMessage(message: ToPage | "ready", transfer: Transferable[]): void;
}

/** Serves one player from inside a worker. */
export function serve(): void {
  const scope = globalThis as unknown as WorkerScope;
  let host: Host | undefined;
  const receive = ({ data }: MessageEvent<ToHost>): void => {
    if (data.type === "open") {
      host?.close();
      const post = (message: ToPage, transfer: Transferable[] = []) => scope.postMessage(message, transfer);
      host = new Host(data.options, post, scope[earlySocket]);
      delete scope[earlySocket];
    } else {
      host?.receive(data);
    }
  };
  scope.onmessage = receive;
  scope[earlyMessages]?.forEach(receive);
  scope.postMessage("ready", []);
}
