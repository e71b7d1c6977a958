import type { publishTables } from "./publish-tables.ts";
import { tables } from "./tables.ts";

/** Name of a message that the tables hold, or can be extended by. */
export type MessageName = keyof typeof tables | keyof typeof publishTables;

/** One field of a message. */
export interface Field {
  readonly name: string;
  /** The oneof it is an arm of. */
  readonly oneof: string | undefined;
  readonly number: number;
  readonly repeated: boolean;
  /** True where an unset field is told from one with the default value. */
  readonly presence: boolean;
  /** A letter for a scalar, see tables.ts. */
  readonly scalar: string;
  /** The message it holds; scalar is then empty. */
  readonly message: MessageName | undefined;
}

export interface Table {
  readonly fields: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
}

const spelling = /(\w+)(?:@(\w+))?:(\d+)([*?]?)(\w+)/g;
const parsed = new Map<MessageName, Table>();
const spellings: Partial<Record<MessageName, string>> = { ...tables };

/** Adds messages, and fields to messages that the tables hold. Doing so again changes nothing. */
export function extendTables(more: Partial<Readonly<Record<MessageName, string>>>): void {
  const own: Partial<Record<string, string>> = tables;
  for (const [name, fields] of Object.entries(more)) spellings[name as MessageName] = `${own[name] ?? ""} ${fields}`;
  parsed.clear();
}

/** Returns the table of a message; it is parsed when first asked for. */
export function tableOf(message: MessageName): Table {
  let table = parsed.get(message);
  if (!table) {
    const fields = [...(spellings[message] ?? "").matchAll(spelling)].map(
      ([, name = "", oneof, number, mark, type = ""]) => {
        const isMessage = type in spellings;
        return {
          name,
          oneof,
          number: Number(number),
          repeated: mark === "*",
          presence: mark === "?",
          scalar: isMessage ? "" : type,
          message: isMessage ? (type as MessageName) : undefined,
        };
      },
    );
    table = { fields, byNumber: new Map(fields.map((field) => [field.number, field])) };
    parsed.set(message, table);
  }
  return table;
}

/** The wire type of one value of the field. */
export function wireTypeOf(field: Field): 0 | 1 | 2 {
  if (field.message || field.scalar === "s" || field.scalar === "y") return 2;
  return field.scalar === "d" ? 1 : 0;
}
