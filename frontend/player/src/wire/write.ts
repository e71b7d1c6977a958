import type { ClientMessage } from "@framewire/schema/session";
import { type Field, type MessageName, tableOf, wireTypeOf } from "./fields.ts";
import type { Init } from "./plain.ts";

const encoder = new TextEncoder();

/** Body of a ClientMessage, with every field optional. */
export type ClientBody = Exclude<Init<ClientMessage>["body"], undefined>;

/** Writes a ClientMessage. */
export function writeClientMessage(body: ClientBody): Uint8Array<ArrayBuffer> {
  return writeMessage("ClientMessage", { body });
}

/** Writes any message of the tables; fields that are left out, or hold the default, cost nothing. */
export function writeMessage(name: MessageName, value: object): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  message(out, name, value as Record<string, unknown>);
  return Uint8Array.from(out);
}

interface Arm {
  readonly case?: string;
  readonly value?: unknown;
}

function message(out: number[], name: MessageName, value: Record<string, unknown>): void {
  for (const field of tableOf(name).fields) {
    if (field.oneof) {
      const arm = value[field.oneof] as Arm | undefined;
      if (arm?.case === field.name) one(out, field, arm.value);
      continue;
    }
    const held = value[field.name];
    if (held === undefined) continue;
    if (field.repeated) for (const item of held as unknown[]) one(out, field, item);
    else if (field.message || field.presence || !isDefault(held)) one(out, field, held);
  }
}

function isDefault(value: unknown): boolean {
  return !value || (value instanceof Uint8Array && value.length === 0);
}

function one(out: number[], field: Field, value: unknown): void {
  varint(out, field.number * 8 + wireTypeOf(field));
  if (field.message) {
    const inner: number[] = [];
    message(inner, field.message, value as Record<string, unknown>);
    delimited(out, inner);
    return;
  }
  switch (field.scalar) {
    case "s":
      return delimited(out, encoder.encode(value as string));
    case "y":
      return delimited(out, value as Uint8Array);
    case "d":
      return double(out, value as number);
    case "b":
      return varint(out, value ? 1 : 0);
    case "z":
      return varint(out, (value as number) < 0 ? -2 * (value as number) - 1 : 2 * (value as number));
    default:
      return varint(out, value as number);
  }
}

function delimited(out: number[], bytes: ArrayLike<number>): void {
  varint(out, bytes.length);
  for (let i = 0; i < bytes.length; i++) out.push(bytes[i] ?? 0);
}

function double(out: number[], value: number): void {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  for (let i = 0; i < 8; i++) out.push(view.getUint8(i));
}

/** Writes an integer as a varint; a negative one as the ten bytes of its int64. */
function varint(out: number[], value: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer that the protocol can carry`);
  let rest = value < 0 ? BigInt.asUintN(64, BigInt(value)) : BigInt(value);
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  out.push(Number(rest));
}
