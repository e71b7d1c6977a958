import type { Page } from "playwright-core";
import { until } from "./until.ts";

/** What the page keeps. */
interface Kept {
  readonly at: number[];
  ask(): void;
}

declare global {
  interface Window {
    keyframes: Kept;
  }
}

/** A viewer of the plainest kind, in a page: it asks for keyframes, and notes when they come. */
export class KeyframeWatch {
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  static async open(page: Page, stream: string): Promise<KeyframeWatch> {
    await page.evaluate(watch, stream);
    const self = new KeyframeWatch(page);
    await until("a first keyframe", async () => (await self.#at()).length > 0);
    return self;
  }

  /** Asks several times, with pauses in milliseconds. */
  async asks(times: number, pause: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      await this.#page.evaluate(() => window.keyframes.ask());
      await this.#page.waitForTimeout(pause);
    }
  }

  /** The shortest time between two keyframes, in milliseconds. */
  async shortest(): Promise<number> {
    const at = await this.#at();
    return Math.min(...at.slice(1).map((time, i) => time - (at[i] ?? 0)));
  }

  #at(): Promise<number[]> {
    return this.#page.evaluate(() => window.keyframes.at);
  }
}

/** Runs in the page. */
function watch(stream: string): void {
  const socket = new WebSocket(`ws://${location.host}/ws`, "framewire.v1.json");
  socket.binaryType = "arraybuffer";
  const send = (message: object) => socket.send(JSON.stringify(message));
  const kept: Kept = {
    at: [],
    ask: () => send({ command: { id: ++id, requestKeyframe: {} } }),
  };
  let id = 0;
  window.keyframes = kept;
  socket.onopen = () => {
    send({ hello: { protocolVersion: 1 } });
    send({ command: { id: ++id, play: { stream } } });
    send({ command: { id: ++id, setMuted: { muted: true } } });
  };
  socket.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (!(data instanceof ArrayBuffer)) return;
    // A ServerMessage with a Fragment: fields 1 to 8 are varints, of which 4 is the
    // decode time and 7 tells a keyframe.
    const bytes = new Uint8Array(data);
    let at = 1;
    const varint = () => {
      let value = 0;
      for (let factor = 1; ; factor *= 128) {
        const byte = bytes[at++] ?? 0;
        value += (byte & 127) * factor;
        if (byte < 128) return value;
      }
    };
    varint();
    let time = 0;
    for (;;) {
      const tag = varint();
      if (tag % 8 !== 0) return;
      const value = varint();
      if (tag === 4 * 8) time = value;
      // Video has a timescale of a million, as WebCodecs counts.
      if (tag === 1 * 8 && value % 2 === 0) return;
      if (tag === 7 * 8 && value === 1) kept.at.push(time / 1000);
    }
  };
}
