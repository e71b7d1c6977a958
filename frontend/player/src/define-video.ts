/**
 * Registers `<framewire-video>`.
 *
 * @module
 */
import { FramewireVideoElement } from "./element/video.ts";
import { setWorkerFactory } from "./host/spawn.ts";

setWorkerFactory(() => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "framewire" }));
if (globalThis.customElements && !customElements.get("framewire-video")) {
  customElements.define("framewire-video", FramewireVideoElement);
}

export { FramewireVideoElement };
