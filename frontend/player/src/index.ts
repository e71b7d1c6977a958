export * from "./client/index.ts";
export { FramewireVideoElement } from "./element/video.ts";
export { setWorkerFactory } from "./host/spawn.ts";
export type * from "./status.ts";
export { FramewirePlayerElement } from "./ui/player.ts";
