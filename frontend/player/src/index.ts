export * from "./client/index.ts";
export type * from "./status.ts";
