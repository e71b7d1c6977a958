import { FramewireVideoElement } from "../element/video.ts";
import { FramewirePlayerElement } from "./player.ts";

/** Registers both elements, unless their names are taken. The controls are registered by controls.ts. */
export function register(): void {
  const registry = globalThis.customElements;
  if (!registry) return;
  if (!registry.get("framewire-video")) registry.define("framewire-video", FramewireVideoElement);
  if (!registry.get("framewire-player")) registry.define("framewire-player", FramewirePlayerElement);
}
