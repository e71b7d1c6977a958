// Stands in the head of the pages with a player, before all else: has a worker
// connect while the browser still reads the page. What it opens has to be what
// the page will ask of its player, or it is closed and opened anew.

import { startEarly } from "../../player/src/host/early.ts";
import { DEFAULT_OPTIONS, parseEmbedOptions } from "../lib/embed-options.ts";
import { openOptions } from "../lib/open-options.ts";
import { streamOfPath } from "../lib/stream-name.ts";

const { pathname, search } = location;
const embedded = pathname.startsWith("/embed/");
const stream = streamOfPath(pathname, embedded ? "/embed/" : "/watch/");
const options = embedded ? parseEmbedOptions(new URLSearchParams(search)) : DEFAULT_OPTIONS;
const source = (window as { MediaSource?: { canConstructInDedicatedWorker?: boolean } }).MediaSource;

// Browsers open no MediaSource in a page that was never seen.
if (stream !== undefined && options.autoplay && !document.hidden && source?.canConstructInDedicatedWorker) {
  startEarly(new URL("/player.js", location.origin).href, openOptions(location.origin, stream, options));
}
