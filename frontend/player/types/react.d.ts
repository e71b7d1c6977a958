/**
 * Makes `<framewire-player>` and `<framewire-video>` known to TSX:
 * `import type {} from "@framewire/player/react"`, once in a project.
 *
 * @module
 */

import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { FramewirePlayerElement, FramewireVideoElement } from "../dist/index.js";
import type { PlayerAttributes, PlayerListeners, VideoAttributes } from "./attributes.d.ts";

type Props<Element, Attributes> = Omit<DetailedHTMLProps<HTMLAttributes<Element>, Element>, keyof Attributes> &
  Attributes &
  PlayerListeners;

interface FramewireElements {
  "framewire-player": Props<FramewirePlayerElement, PlayerAttributes>;
  "framewire-video": Props<FramewireVideoElement, VideoAttributes>;
}

// React 19, and 18 with the automatic runtime.
declare module "react" {
  namespace JSX {
    interface IntrinsicElements extends FramewireElements {}
  }
}

// React 18 and before.
declare global {
  namespace JSX {
    interface IntrinsicElements extends FramewireElements {}
  }
}
