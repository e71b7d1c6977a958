/**
 * Registers `<framewire-video>`, `<framewire-player>` and media-chrome's
 * controls.
 *
 * @module
 */
import "./define-video.ts";
import "./ui/controls.ts";
import { register } from "./ui/register.ts";

register();

export { FramewireVideoElement } from "./element/video.ts";
export { FramewirePlayerElement } from "./ui/player.ts";
