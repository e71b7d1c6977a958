import type { ServerMessage } from "@framewire/schema/session";
import { type Field, type MessageName, tableOf, wireTypeOf } from "./fields.ts";
import type { Plain } from "./plain.ts";

const decoder = new TextDecoder();
/** Messages within messages; the schema goes four deep. */
const maxDepth = 16;
const twoTo32 = 2 ** 32;

/** A message that cannot be read. */
export class WireError extends Error {
  override readonly name = "WireError";
}

/**
 * Reads a ServerMessage. Fields and arms that this version does not know are
 * passed over. The bytes of a fragment are a view of the input.
 *
 * @throws WireError when the input is cut off or is not protobuf.
 */
export function readServerMessage(data: ArrayBuffer): Plain<ServerMessage> {
  return readMessage("ServerMessage", new Uint8Array(data)) as unknown as Plain<ServerMessage>;
}

/** Reads any message of the tables; see readServerMessage. */
export function readMessage(name: MessageName, bytes: Uint8Array<ArrayBuffer>): Record<string, unknown> {
  return new Reader(bytes).message(name, bytes.length, 0);
}

/** A cursor over the protobuf wire format (protobuf.dev/programming-guides/encoding). */
class Reader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  message(name: MessageName, end: number, depth: number): Record<string, unknown> {
    if (depth > maxDepth) throw new WireError(`${name}: messages nest deeper than ${maxDepth}`);
    const table = tableOf(name);
    const value = defaults(table.fields);
    while (this.#at < end) {
      const key = this.#varint();
      const field = table.byNumber.get(Math.floor(key / 8));
      const wireType = key % 8;
      if (field && wireType === wireTypeOf(field)) this.#field(field, value, depth);
      else if (field?.repeated && wireType === 2) this.#packed(field, value);
      else this.#skip(wireType);
    }
    if (this.#at !== end) throw new WireError(`${name}: a field runs past its end`);
    return value;
  }

  #field(field: Field, value: Record<string, unknown>, depth: number): void {
    const read = field.message
      ? this.message(field.message, this.#endOfField(), depth + 1)
      : this.#scalar(field.scalar);
    if (field.oneof) value[field.oneof] = { case: field.name, value: read };
    else if (field.repeated) (value[field.name] as unknown[]).push(read);
    else value[field.name] = read;
  }

  #packed(field: Field, value: Record<string, unknown>): void {
    const list = value[field.name] as unknown[];
    const end = this.#endOfField();
    while (this.#at < end) list.push(this.#scalar(field.scalar));
  }

  #scalar(type: string): unknown {
    switch (type) {
      case "e":
      case "i":
        return this.#varint() | 0;
      case "z": {
        const n = this.#varint();
        return n % 2 === 0 ? n / 2 : -(n + 1) / 2;
      }
      case "b":
        return this.#varint() !== 0;
      case "d":
        return this.#view.getFloat64(this.#advance(8), true);
      case "s":
        return decoder.decode(this.#delimited());
      case "y":
        return this.#delimited();
      default: // u, v, x
        return this.#varint();
    }
  }

  #delimited(): Uint8Array<ArrayBuffer> {
    const end = this.#endOfField();
    const start = this.#at;
    this.#at = end;
    return this.#bytes.subarray(start, end);
  }

  /** Reads a length and returns where that many bytes from there end. */
  #endOfField(): number {
    const length = this.#varint();
    const end = this.#at + length;
    if (length < 0 || end > this.#bytes.length) throw new WireError(`a field of ${length} bytes runs past the message`);
    return end;
  }

  /** Moves over count bytes and returns where they start. */
  #advance(count: number): number {
    const start = this.#at;
    if (start + count > this.#bytes.length) throw new WireError("the message is cut off");
    this.#at = start + count;
    return start;
  }

  /** Reads a varint as a signed 64-bit integer; exact up to 2^53. */
  #varint(): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new WireError("the message is cut off");
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) return high * twoTo32 + (low >>> 0); // high is signed, as int64 has it
    }
    throw new WireError("a varint is longer than ten bytes");
  }

  #skip(wireType: number): void {
    if (wireType === 0) this.#varint();
    else if (wireType === 1) this.#advance(8);
    else if (wireType === 2) this.#delimited();
    else if (wireType === 5) this.#advance(4);
    else throw new WireError(`wire type ${wireType} is not known`);
  }
}

function defaults(fields: readonly Field[]): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const field of fields) {
    if (field.oneof) value[field.oneof] = { case: undefined };
    else if (field.repeated) value[field.name] = [];
    else if (!field.message && !field.presence) value[field.name] = zeroOf(field.scalar);
  }
  return value;
}

function zeroOf(scalar: string): unknown {
  if (scalar === "s") return "";
  if (scalar === "b") return false;
  return scalar === "y" ? new Uint8Array() : 0;
}
