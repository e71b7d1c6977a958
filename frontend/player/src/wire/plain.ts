/**
 * The shape in which this package holds a message of the schema: the generated
 * type without its runtime marks, and with 64-bit integers as numbers.
 *
 * Every 64-bit integer of the schema is a time in microseconds, a time in ticks
 * or a sequence number, all of which stay below 2^53 for centuries.
 */
export type Plain<T> = T extends bigint
  ? number
  : T extends Uint8Array
    ? Uint8Array<ArrayBuffer>
    : T extends readonly (infer E)[]
      ? Plain<E>[]
      : T extends object
        ? { [K in keyof T as K extends `$${string}` ? never : K]: Plain<T[K]> }
        : T;

/**
 * What is needed to write a message: every field may be left out, which writes
 * its default value.
 */
export type Init<T> = T extends bigint
  ? number
  : T extends Uint8Array
    ? Uint8Array
    : T extends readonly (infer E)[]
      ? readonly Init<E>[]
      : T extends { case: infer C extends string; value: infer V }
        ? { case: C; value: Init<V> }
        : T extends object
          ? { [K in keyof T as K extends `$${string}` ? never : K]?: Init<T[K]> | undefined }
          : T;
