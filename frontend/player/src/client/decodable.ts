import { mediaSourceClass } from "./media-source.ts";

/**
 * One MIME type for each codec family that MSE may decode. The server compares
 * families only, so a common profile stands for each.
 */
const probes = [
  'video/mp4; codecs="avc1.64001f"',
  'video/mp4; codecs="hvc1.1.6.L93.B0"',
  'video/mp4; codecs="hev1.1.6.L93.B0"',
  'video/mp4; codecs="av01.0.04M.08"',
  'video/mp4; codecs="vp09.00.10.08"',
  'video/mp4; codecs="vp8"',
  'audio/mp4; codecs="mp4a.40.2"',
  'audio/mp4; codecs="opus"',
  'audio/mp4; codecs="flac"',
  'audio/mp4; codecs="mp3"',
  'audio/mp4; codecs="ac-3"',
  'audio/mp4; codecs="ec-3"',
] as const;

/** Lists what MSE can decode here; empty without MSE, which asks for everything. */
export function decodableTypes(): string[] {
  const decoder = mediaSourceClass();
  return decoder ? probes.filter((type) => decoder.isTypeSupported(type)) : [];
}
