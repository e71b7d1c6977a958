// Figures as people read them.

/** Bits per second, such as "2.4 Mbit/s". Empty for nothing. */
export function formatBitrate(bitsPerSecond: number): string {
  if (!(bitsPerSecond > 0)) return "";
  if (bitsPerSecond >= 999_500) return `${(bitsPerSecond / 1e6).toFixed(bitsPerSecond >= 9.95e6 ? 0 : 1)} Mbit/s`;
  return `${Math.max(1, Math.round(bitsPerSecond / 1e3))} kbit/s`;
}

/** How far behind live, such as "120 ms behind live" or "2.4 s behind live". Empty where it is not known. */
export function formatLatency(milliseconds: number): string {
  if (!(milliseconds > 0)) return "";
  const amount = milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
  return `${amount} behind live`;
}

/** "1 viewer", "12 viewers", "3,400 viewers". */
export function formatViewers(count: number): string {
  return `${count.toLocaleString("en")} ${count === 1 ? "viewer" : "viewers"}`;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A span of seconds in its largest unit: "moments", "5 min", "3 h", "2 days". */
export function formatSpan(seconds: number): string {
  if (seconds < MINUTE) return "moments";
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h`;
  const days = Math.floor(seconds / DAY);
  return `${days} ${days === 1 ? "day" : "days"}`;
}

// The sample entries that RFC 6381 strings begin with.
const CODECS: Readonly<Record<string, string>> = {
  avc1: "H.264",
  avc3: "H.264",
  hvc1: "H.265",
  hev1: "H.265",
  av01: "AV1",
  vp08: "VP8",
  vp09: "VP9",
  opus: "Opus",
  flac: "FLAC",
  mp3: "MP3",
};

// Object types of ISO/IEC 14496-1 as they stand in mp4a strings.
const MP4A_MP3 = /^mp4a\.(69|6b|40\.34)$/i;

/** The common name of a codec string of RFC 6381: "H.264" for avc1.64001f. */
export function formatCodec(codec: string): string {
  if (MP4A_MP3.test(codec)) return "MP3";
  const entry = codec.split(".", 1)[0]?.toLowerCase() ?? "";
  if (entry === "mp4a") return "AAC";
  return CODECS[entry] ?? codec;
}
