import type { Seconds } from "../units.ts";

/**
 * Sound from a graph comes this much later than its picture, which the browser
 * does not make up for. Wireless headphones are slower, and keep the element's
 * own output.
 */
const maxOutputLatency: Seconds = 0.06;

/** One for all players of the page: browsers allow few. */
let context: AudioContext | undefined;

/** Elements whose sound goes through the context; there is no way back. */
const connected = new WeakSet<HTMLVideoElement>();

/**
 * Takes the sound of a video element through a graph of Web Audio. Its output
 * takes some 10 ms of sound ahead, that of an element 60 and more, for which
 * the picture has to wait.
 */
export class Speaker {
  readonly #video: HTMLVideoElement;
  #told = false;
  /** Whether the graph is worth its while. */
  wanted = false;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
  }

  /**
   * Connects when it can be done without a break: once the element plays with
   * sound and the context runs. To be called now and then; returns true once.
   */
  connect(): boolean {
    if (this.#told || !this.wanted || typeof AudioContext === "undefined") return false;
    if (!connected.has(this.#video) && !this.#connect()) return false;
    this.#told = true;
    return true;
  }

  #connect(): boolean {
    const video = this.#video;
    // A context that may not start would stop the element. It may where sound does.
    if (video.paused || video.muted || video.volume === 0 || video.readyState < 3) return false;
    context ??= newContext();
    const { state, outputLatency } = context;
    if (state !== "running" || !(outputLatency > 0 && outputLatency <= maxOutputLatency)) return false;
    context.createMediaElementSource(video).connect(context.destination);
    connected.add(video);
    return true;
  }
}

function newContext(): AudioContext {
  const made = new AudioContext({ latencyHint: "interactive" });
  // The browser stops it when the output is taken away; elements in it would stand still.
  made.addEventListener("statechange", () => {
    if (made.state !== "running") void made.resume().catch(() => {});
  });
  return made;
}
