import { enums } from "./enums.ts";

export type { Init, Plain } from "./plain.ts";
export { readServerMessage, WireError } from "./read.ts";
export { type ClientBody, writeClientMessage } from "./write.ts";

type Enums = typeof enums;

/** The values of an enum of the schema, as names in lower case: "too_slow". */
export type NameOf<E extends keyof Enums> = Enums[E][number];

/** Names an enum value; one of a newer server is "unspecified". */
export function nameOf<E extends keyof Enums>(type: E, value: number): NameOf<E> {
  const names: readonly NameOf<E>[] = enums[type];
  return names[value] ?? (enums[type][0] as NameOf<E>);
}

/** Returns the number of a name; see nameOf. */
export function numberOf<E extends keyof Enums>(type: E, name: NameOf<E>): number {
  return (enums[type] as readonly string[]).indexOf(name);
}
