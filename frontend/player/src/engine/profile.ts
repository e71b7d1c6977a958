import type { Seconds } from "../units.ts";

/** What a browser's media pipeline can take; measured, see each figure. */
export interface Profile {
  readonly name: "chromium" | "firefox" | "safari";
  /** The least media ahead of the playhead that plays without stalls. */
  readonly videoFloor: Seconds;
  /** The same with sound. */
  readonly soundFloor: Seconds;
  /** The same with sound that goes through a graph of Web Audio; undefined where that gains nothing. */
  readonly graphFloor?: Seconds;
  /** Where to start behind the edge: below it the renderer waits before it starts. */
  readonly videoStart: Seconds;
  readonly soundStart: Seconds;
  /** How much nearer to begin with sound, since the edge moves on while the renderer starts. */
  readonly soundLead: Seconds;
  /** The greatest deviation of the playback rate from 1, without and with sound; 0 for none. */
  readonly videoChase: number;
  readonly soundChase: number;
  /** The same with sound for the first seconds, ahead only. */
  readonly startChase: number;
  /** How much slower sound plays for the moments in which nothing comes; undefined for no slower. */
  readonly brake?: number;
  /** Whether sound that ran dry waits for more and more media, until a seek. */
  readonly growsAfterStall: boolean;
}

/**
 * Chromium starts video with one decoded frame, and sound only with 200 ms
 * decoded (media/renderers: the audio renderer's starting capacity), for which
 * it waits. Until then more than 100 ms pass besides, half of which is given away:
 * the rest is there for what comes late before jitter can be known. Started
 * there, sound can be brought nearer by playing faster: to where its output,
 * which takes some 60 ms ahead, does not run dry. A graph of Web Audio takes
 * 10 ms ahead.
 */
const chromium: Profile = {
  name: "chromium",
  videoFloor: 0.04,
  soundFloor: 0.12,
  graphFloor: 0.07,
  videoStart: 0.05,
  soundStart: 0.22,
  soundLead: 0.06,
  videoChase: 0.1,
  soundChase: 0.05,
  startChase: 0.1,
  brake: 0.2,
  growsAfterStall: true,
};

/** Firefox wants 250 ms ahead when the next frame is not decoded yet. */
const firefox: Profile = {
  name: "firefox",
  videoFloor: 0.35,
  soundFloor: 0.35,
  videoStart: 0.35,
  soundStart: 0.35,
  soundLead: 0,
  videoChase: 0.1,
  soundChase: 0.05,
  startChase: 0.05,
  growsAfterStall: false,
};

/** Safari buffers anew when the rate changes, so it is never changed there. */
const safari: Profile = {
  name: "safari",
  videoFloor: 0.5,
  soundFloor: 0.5,
  videoStart: 0.5,
  soundStart: 0.5,
  soundLead: 0,
  videoChase: 0,
  soundChase: 0,
  startChase: 0,
  growsAfterStall: false,
};

/** Picks the profile of the browser that sends this user agent string. */
export function profileOf(userAgent: string): Profile {
  if (/Firefox\//.test(userAgent)) return firefox;
  // Every browser of iOS is WebKit, whatever it calls itself.
  if (/Chrom(e|ium)\//.test(userAgent) && !/iP(hone|ad|od)/.test(userAgent)) return chromium;
  return safari;
}
