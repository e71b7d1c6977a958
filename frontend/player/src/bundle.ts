/**
 * The entry of player.js. In a page it registers the elements; in the worker
 * that it starts from itself it serves a player. What only the page needs is
 * not evaluated there.
 *
 * @module
 */
import { setDefaultServer } from "./element/video.ts";
import { moduleWorker, setWorkerFactory, warmUp } from "./host/spawn.ts";
import { inWorker, serve } from "./host/worker.ts";
import { register } from "./ui/register.ts";
import type { Millis } from "./units.ts";

/** Controls wait for the first picture, but no longer than this. */
const controlsAfter: Millis = 3_000;

function start(): void {
  setDefaultServer(new URL("/", import.meta.url).href);
  setWorkerFactory(() => moduleWorker(import.meta.url));
  const controls = () => void import("./ui/controls.ts");
  if (document.querySelector(":is(framewire-player, framewire-video)[autoplay]:not([no-worker])")) {
    warmUp();
    document.addEventListener("loadeddata", controls, { capture: true, once: true });
    setTimeout(controls, controlsAfter);
  } else {
    controls();
  }
  register();
}

if (inWorker()) serve();
else start();
