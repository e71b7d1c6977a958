/** Where in a chunk (moof and mdat of one track) the fields stand that a copy of it changes. */
export interface ChunkFields {
  /** baseMediaDecodeTime, 64 bits. */
  readonly decodeTime: number;
  /** default_sample_duration, 32 bits; undefined where samples have durations of their own. */
  readonly duration: number | undefined;
}

/** Flags of tfhd and trun (ISO/IEC 14496-12 8.8.7.1, 8.8.8.1). */
const baseDataOffset = 0x01;
const descriptionIndex = 0x02;
const defaultDuration = 0x08;
const durations = 0x100;

/** Finds them in the first track fragment; undefined where it is not as the server writes it. */
export function chunkFields(chunk: Uint8Array): ChunkFields | undefined {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const moof = findBox(view, 0, chunk.length, "moof");
  const traf = moof && findBox(view, ...moof, "traf");
  const tfdt = traf && findBox(view, ...traf, "tfdt");
  if (!traf || !tfdt || view.getUint8(tfdt[0]) !== 1 || tfdt[0] + 12 > tfdt[1]) return undefined;
  return { decodeTime: tfdt[0] + 4, duration: durationIn(view, traf) };
}

type Span = [start: number, end: number];

function durationIn(view: DataView, traf: Span): number | undefined {
  const tfhd = findBox(view, ...traf, "tfhd");
  const trun = findBox(view, ...traf, "trun");
  if (!tfhd || !trun || view.getUint32(trun[0]) & durations) return undefined;
  const flags = view.getUint32(tfhd[0]);
  let at = tfhd[0] + 8; // flags and track
  if (flags & baseDataOffset) at += 8;
  if (flags & descriptionIndex) at += 4;
  return flags & defaultDuration && at + 4 <= tfhd[1] ? at : undefined;
}

/** Finds a box, and returns where its content starts and ends. */
function findBox(view: DataView, from: number, end: number, name: string): Span | undefined {
  let at = from;
  while (at + 8 <= end) {
    const size = view.getUint32(at);
    if (size < 8 || at + size > end) return undefined;
    const type = String.fromCharCode(...[4, 5, 6, 7].map((i) => view.getUint8(at + i)));
    if (type === name) return size < 12 ? undefined : [at + 8, at + size];
    at += size;
  }
  return undefined;
}
