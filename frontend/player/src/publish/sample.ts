import type { Sample } from "./types.ts";

// Fields of ClientMessage and PublishSample; a test compares them with the schema.
const publishSample = 6;
const lengthDelimited = 2;

/** The most that comes before the data: two tags with lengths, and six fields. */
const headRoom = 64;

/**
 * Writes a ClientMessage with a PublishSample. The general writer takes bytes one
 * by one, which is too slow for pictures.
 *
 * @param capturedAtUs microseconds of the server's clock, 0 where not known.
 */
export function writeSample(sample: Sample, capturedAtUs: number): Uint8Array<ArrayBuffer> {
  const { data } = sample;
  const head = new Head();
  head.varint(1, sample.track);
  head.varint(2, sample.time);
  head.varint(3, zigzag(sample.offset ?? 0));
  head.varint(4, sample.duration ?? 0);
  head.varint(5, sample.keyframe ? 1 : 0);
  head.varint(6, capturedAtUs);
  head.length(15, data.byteLength);
  const envelope = new Head();
  envelope.length(publishSample, head.size + data.byteLength);
  const message = new Uint8Array(envelope.size + head.size + data.byteLength);
  message.set(envelope.bytes, 0);
  message.set(head.bytes, envelope.size);
  message.set(data, envelope.size + head.size);
  return message;
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

class Head {
  readonly #bytes = new Uint8Array(headRoom);
  size = 0;

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.size);
  }

  /** Writes a field; one that is 0 is left out. */
  varint(field: number, value: number): void {
    if (value === 0) return;
    this.#put(field * 8);
    this.#put(value);
  }

  /** Writes the tag and length of a field whose bytes follow. */
  length(field: number, bytes: number): void {
    this.#put(field * 8 + lengthDelimited);
    this.#put(bytes);
  }

  #put(value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer that the protocol can carry`);
    if (value < 0) return this.#put64(BigInt.asUintN(64, BigInt(value)));
    let rest = value;
    while (rest > 127) {
      this.#bytes[this.size++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.size++] = rest;
  }

  #put64(value: bigint): void {
    let rest = value;
    while (rest > 127n) {
      this.#bytes[this.size++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.#bytes[this.size++] = Number(rest);
  }
}
