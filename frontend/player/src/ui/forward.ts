import type { FramewireVideoElement } from "../element/video.ts";

/** Properties that the player hands through to its media element. */
export const forwardedProperties = [
  "src",
  "stream",
  "token",
  "autoplay",
  "defaultMuted",
  "latency",
  "latencyTarget",
  "poster",
  "currentTime",
  "muted",
  "volume",
  "currentSrc",
  "status",
  "stats",
  "undecodableTracks",
  "mutedByBrowser",
  "isLive",
  "paused",
  "ended",
  "seeking",
  "duration",
  "error",
  "playbackRate",
  "streamType",
  "targetLiveWindow",
  "liveEdgeStart",
  "seekable",
  "buffered",
  "played",
  "readyState",
  "networkState",
  "videoWidth",
  "videoHeight",
] as const satisfies readonly (keyof FramewireVideoElement)[];

/** Methods that it hands through. */
export const forwardedMethods = [
  "play",
  "pause",
  "goLive",
  "stop",
  "requestKeyframe",
  "selectTracks",
  "listStreams",
  "subscribeStreams",
  "reconnect",
  "plainUrl",
  "retry",
  "requestPictureInPicture",
  "getVideoPlaybackQuality",
  "requestVideoFrameCallback",
  "cancelVideoFrameCallback",
] as const satisfies readonly (keyof FramewireVideoElement)[];

/** Properties that change an attribute of the player, which goes on to the media element. */
const reflected: ReadonlySet<string> = new Set([
  "src",
  "stream",
  "autoplay",
  "defaultMuted",
  "latency",
  "latencyTarget",
  "poster",
]);

/** Attributes that it hands through. */
export const forwardedAttributes = [
  "src",
  "stream",
  "token",
  "autoplay",
  "muted",
  "latency",
  "poster",
  "no-worker",
  "disablepictureinpicture",
  "crossorigin",
] as const;

/** Events that it fires again. */
export const forwardedEvents = [
  "loadstart",
  "loadedmetadata",
  "loadeddata",
  "canplay",
  "canplaythrough",
  "play",
  "pause",
  "playing",
  "waiting",
  "stalled",
  "timeupdate",
  "progress",
  "durationchange",
  "resize",
  "volumechange",
  "seeking",
  "seeked",
  "ended",
  "emptied",
  "error",
  "enterpictureinpicture",
  "leavepictureinpicture",
  "streamtypechange",
  "targetlivewindowchange",
  "seekablechange",
  "statuschange",
  "statschange",
  "recovery",
  "gap",
  "notice",
  "trackschange",
  "streamschange",
  "commanderror",
] as const;

export type Forwarded = Pick<
  FramewireVideoElement,
  (typeof forwardedProperties)[number] | (typeof forwardedMethods)[number]
>;

/** Gives a class the forwarded properties and methods; each instance has its media element under media. */
export function forwardTo(prototype: object, media: (self: HTMLElement) => FramewireVideoElement): void {
  const attributeOf = (name: string) => ({ defaultMuted: "muted", latencyTarget: "latency" })[name] ?? name;
  for (const name of forwardedProperties) {
    Object.defineProperty(prototype, name, {
      configurable: true,
      enumerable: true,
      get(this: HTMLElement) {
        return media(this)[name];
      },
      set(this: HTMLElement, value: unknown) {
        if (!reflected.has(name)) Reflect.set(media(this), name, value);
        else if (typeof value === "boolean") this.toggleAttribute(attributeOf(name), value);
        else this.setAttribute(attributeOf(name), String(name === "latencyTarget" && !value ? "auto" : value));
      },
    });
  }
  for (const name of forwardedMethods) {
    Object.defineProperty(prototype, name, {
      configurable: true,
      value(this: HTMLElement, ...args: unknown[]) {
        const target = media(this);
        return Reflect.apply(target[name], target, args);
      },
    });
  }
}
