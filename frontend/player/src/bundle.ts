/**
 * The entry of player.js: registers the elements, and knows where their worker is.
 *
 * @module
 */
import { startedEarly } from "./element/early.ts";
import { setDefaultServer } from "./element/video.ts";
import { moduleWorker, setWorkerFactory, warmUp } from "./host/spawn.ts";
import { register } from "./ui/register.ts";
import type { Millis } from "./units.ts";

/** The name of the worker's file, which holds a hash; unset where pages are served from their sources. */
declare const WORKER_FILE: string | undefined;

/** Controls wait for the first picture, but no longer than this. */
const controlsAfter: Millis = 3_000;

const worker = new URL(typeof WORKER_FILE === "string" ? WORKER_FILE : "worker.ts", import.meta.url);
const controls = () => void import("./ui/controls.ts");
const early = startedEarly();

setDefaultServer(new URL("/", import.meta.url).href);
setWorkerFactory(() => moduleWorker(worker));
if (early?.screen?.shows) {
  controls();
} else if (early || document.querySelector(":is(framewire-player, framewire-video)[autoplay]:not([no-worker])")) {
  if (!early) warmUp();
  document.addEventListener("loadeddata", controls, { capture: true, once: true });
  setTimeout(controls, controlsAfter);
} else {
  controls();
}
register();
