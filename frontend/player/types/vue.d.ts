/**
 * Makes `<framewire-player>` and `<framewire-video>` known to Vue's templates:
 * `import type {} from "@framewire/player/vue"`, once in a project.
 *
 * @module
 */
import type { DefineComponent, HTMLAttributes } from "vue";
import type { PlayerAttributes, VideoAttributes } from "./attributes.d.ts";

type Props<Attributes> = Omit<HTMLAttributes, keyof Attributes> & Attributes;

declare module "vue" {
  interface GlobalComponents {
    "framewire-player": DefineComponent<Props<PlayerAttributes>>;
    "framewire-video": DefineComponent<Props<VideoAttributes>>;
  }
}
