// Stands in the head of the pages with a player, before all else: has a worker
// connect while the browser still reads the page, and shows the first picture in
// the page's own video element. The page's scripts, whose work would delay it,
// come after it. What is opened here has to be what the page will ask of its
// player, or it is closed and opened anew.

import { startEarly } from "../../player/src/element/early.ts";
import { DEFAULT_OPTIONS, parseEmbedOptions } from "../lib/embed-options.ts";
import { openOptions } from "../lib/open-options.ts";
import { streamOfPath } from "../lib/stream-name.ts";
import { addLaterScripts } from "./later.ts";

/** The path of the worker's file. */
declare const WORKER_FILE: string;

/** Without a picture by then, the page tells what is the matter. In milliseconds. */
const patience = 400;

const { pathname, search } = location;
const embedded = pathname.startsWith("/embed/");
const stream = streamOfPath(pathname, embedded ? "/embed/" : "/watch/");
const options = embedded ? parseEmbedOptions(new URLSearchParams(search)) : DEFAULT_OPTIONS;
const source = (window as { MediaSource?: { canConstructInDedicatedWorker?: boolean } }).MediaSource;

try {
  // Browsers open no MediaSource in a page that was never seen.
  if (stream !== undefined && options.autoplay && !document.hidden && source?.canConstructInDedicatedWorker) {
    const worker = new URL(WORKER_FILE, location.origin);
    startEarly(worker.href, openOptions(location.origin, stream, options), findVideo);
    setTimeout(addLaterScripts, patience);
  } else {
    addLaterScripts();
  }
} catch (error) {
  addLaterScripts();
  throw error;
}

/** The video element of the player, whose shadow trees stand in the page's own HTML. */
function findVideo(): HTMLVideoElement | undefined {
  const inside = (root: ParentNode | null | undefined, name: string) => root?.querySelector(name)?.shadowRoot;
  const video = inside(inside(document, "framewire-player"), "framewire-video")?.querySelector("video");
  video?.addEventListener("loadeddata", () => requestAnimationFrame(addLaterScripts), { once: true });
  return video ?? undefined;
}
