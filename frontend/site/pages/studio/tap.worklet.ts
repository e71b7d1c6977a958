// Hands sound to the page in pieces of 20 ms, where the browser has no stream of
// frames to give to a worker.

/** The global scope of an AudioWorklet, as far as it is used. */
declare const sampleRate: number;
declare const currentFrame: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

const CHANNELS = 2;
const PIECE = Math.round(sampleRate / 50);

class Tap extends AudioWorkletProcessor {
  #planes = new Float32Array(PIECE * CHANNELS);
  #filled = 0;

  process([input]: readonly (readonly Float32Array[])[]): boolean {
    const first = input?.[0];
    if (!first) return true;
    for (let i = 0; i < first.length; i++) {
      for (let channel = 0; channel < CHANNELS; channel++) {
        this.#planes[channel * PIECE + this.#filled] = (input[channel] ?? first)[i] ?? 0;
      }
      if (++this.#filled === PIECE) this.#send(currentFrame + i + 1 - PIECE);
    }
    return true;
  }

  #send(frame: number): void {
    const planes = this.#planes;
    const timestamp = (frame / sampleRate) * 1e6;
    this.port.postMessage({ type: "sound", planes, channels: CHANNELS, sampleRate, timestamp }, [planes.buffer]);
    this.#planes = new Float32Array(PIECE * CHANNELS);
    this.#filled = 0;
  }
}

registerProcessor("framewire-tap", Tap);
