import "media-chrome/dist/media-controller.js";
import "media-chrome/dist/media-fullscreen-button.js";
import "media-chrome/dist/media-live-button.js";
import "media-chrome/dist/media-mute-button.js";
import "media-chrome/dist/media-pip-button.js";
import "media-chrome/dist/media-play-button.js";
import "media-chrome/dist/media-time-range.js";
import "media-chrome/dist/media-volume-range.js";
import { FramewireVideoElement } from "../element/video.ts";
import { FramewirePlayerElement } from "./player.ts";

/** Registers both elements, unless their names are taken. */
export function register(): void {
  const registry = globalThis.customElements;
  if (!registry) return;
  if (!registry.get("framewire-video")) registry.define("framewire-video", FramewireVideoElement);
  if (!registry.get("framewire-player")) registry.define("framewire-player", FramewirePlayerElement);
}
