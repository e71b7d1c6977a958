import type { Seconds } from "../units.ts";

/** A TimeRanges of one range, or of none where start is undefined. */
export function timeRanges(start?: Seconds, end?: Seconds): TimeRanges {
  const length = start === undefined || end === undefined ? 0 : 1;
  const pick = (value: Seconds | undefined) => (index: number) => {
    if (index !== 0 || value === undefined) throw new DOMException(`there is no range ${index}`, "IndexSizeError");
    return value;
  };
  return { length, start: pick(start), end: pick(end) };
}
