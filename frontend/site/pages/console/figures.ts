// Figures that only operators read.

/** Bytes, such as "1.4 MB", in powers of 1000. */
export function formatBytes(bytes: number | bigint): string {
  let value = Number(bytes);
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (value < 999.5) return `${unit === "B" || value >= 99.5 ? Math.round(value) : value.toPrecision(2)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(2)} TB`;
}

/** Milliseconds, such as "240 ms" or "1.2 s". */
export function formatMs(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  return formatElapsed(ms);
}

/** A span in its two largest units: "42 s", "3 min 20 s", "2 h 5 min", "4 d 3 h". */
export function formatElapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86_400)];
  if (minutes === 0) return `${seconds} s`;
  if (hours === 0) return two(minutes, "min", seconds % 60, "s");
  if (days === 0) return two(hours, "h", minutes % 60, "min");
  return two(days, "d", hours % 24, "h");
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small > 0 ? `${large} ${largeUnit} ${small} ${smallUnit}` : `${large} ${largeUnit}`;
}

const CLOCK = new Intl.DateTimeFormat("en", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const DATE = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

/** The time of day, such as "14:03:09". */
export const formatClock = (unixMs: number): string => CLOCK.format(unixMs);
/** Day and time. */
export const formatMoment = (unixMs: number): string => DATE.format(unixMs);

/** "1,204", as people write it. */
export const formatCount = (count: number | bigint): string => count.toLocaleString("en");

/** Unix microseconds of the schema, in milliseconds. */
export const unixMs = (us: bigint | number): number => Number(us) / 1000;
