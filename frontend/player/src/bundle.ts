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

if (inWorker()) {
  serve();
} else {
  setDefaultServer(new URL("/", import.meta.url).href);
  setWorkerFactory(() => moduleWorker(import.meta.url));
  if (document.querySelector(":is(framewire-player, framewire-video)[autoplay]:not([no-worker])")) warmUp();
  void import("./ui/register.ts").then(({ register }) => register());
}
