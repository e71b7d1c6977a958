// Writes player/src/wire/tables.ts: the schema's messages as one line of text
// each, for the player's own small reader and writer. They take the place of
// the general protobuf runtime, which alone would be two thirds of the player.
// Names of enum values are in enums.ts, since a player's page, unlike its worker,
// needs nothing else, and what only publishers need is in publish-tables.ts.
//
// usage: node scripts/wire-tables.mjs [--check]
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const frontend = new URL("..", import.meta.url);
const target = fileURLToPath(new URL("player/src/wire/tables.ts", frontend));
const enumsTarget = fileURLToPath(new URL("player/src/wire/enums.ts", frontend));
const publishTarget = fileURLToPath(new URL("player/src/wire/publish-tables.ts", frontend));
/** The file of the schema that only publishers need. */
const publishFile = "framewire/v1/publish";
/** Messages that the player reads or writes; what they hold comes with them. */
const roots = ["framewire.v1.ClientMessage", "framewire.v1.ServerMessage"];

/** Letters of the scalar types, by their number in descriptor.proto. */
const letters = {
  1: "d", // double
  3: "x", // int64
  4: "v", // uint64
  5: "i", // int32
  8: "b", // bool
  9: "s", // string
  12: "y", // bytes
  13: "u", // uint32
  17: "z", // sint32
};

const short = (message) => message.typeName.replace("framewire.v1.", "");

function typeOf(field) {
  if (field.message) return short(field.message);
  if (field.enum) return "e";
  const letter = letters[field.scalar];
  if (!letter) throw new Error(`${field.parent.typeName}.${field.name}: scalar type ${field.scalar} has no letter`);
  return letter;
}

function spell(field) {
  if (field.fieldKind === "map") throw new Error(`${field.parent.typeName}.${field.name}: maps are not supported`);
  const mark = field.fieldKind === "list" ? "*" : !field.oneof && !field.message && field.presence === 1 ? "?" : "";
  const oneof = field.oneof ? `@${field.oneof.localName}` : "";
  return `${field.localName}${oneof}:${field.number}${mark}${typeOf(field)}`;
}

const ofPublishing = (field) => field.message?.file.name === publishFile;
const byName = ([a], [b]) => (a < b ? -1 : 1);

/** Collects the messages reachable from the roots other than through publishing, in order of name. */
export function tables(files) {
  const found = new Map();
  const visit = (message) => {
    if (found.has(short(message))) return;
    const fields = message.fields.filter((field) => !ofPublishing(field));
    found.set(short(message), fields.map(spell).join(" "));
    for (const field of fields) if (field.message) visit(field.message);
  };
  for (const file of files) for (const message of file.messages) if (roots.includes(message.typeName)) visit(message);
  return [...found].sort(byName);
}

/** Spells what publishing adds: its messages, and more fields for the roots. */
function publishTables(files) {
  const messages = files.find((file) => file.name === publishFile).messages;
  const arms = files
    .flatMap((file) => file.messages)
    .filter((message) => roots.includes(message.typeName))
    .map((message) => [short(message), message.fields.filter(ofPublishing).map(spell).join(" ")]);
  return [...arms, ...messages.map((message) => [short(message), message.fields.map(spell).join(" ")])].sort(byName);
}

async function loadSchema() {
  const names = ["session", "control", "media", "publish"];
  const bundle = await rolldown({
    input: "schema",
    cwd: fileURLToPath(frontend),
    resolve: { symlinks: false },
    plugins: [
      {
        name: "schema-entry",
        resolveId: (id) => (id === "schema" ? fileURLToPath(new URL("schema-entry.ts", frontend)) : null),
        load: (id) =>
          id.endsWith("schema-entry.ts")
            ? names.map((n) => `export { file_framewire_v1_${n} as ${n} } from "@framewire/schema/${n}";`).join("\n")
            : null,
      },
    ],
  });
  const { output } = await bundle.generate({ format: "es" });
  const schema = await import(`data:text/javascript;base64,${Buffer.from(output[0].code).toString("base64")}`);
  return names.map((name) => schema[name]);
}

/** Collects the enums of the files: their values' names in lower case, by number. */
function enums(files) {
  return files
    .flatMap((file) => file.enums)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((type) => {
      const names = [];
      for (const value of type.values) names[value.number] = value.localName.toLowerCase();
      return `  ${type.name}: [${Array.from(names, (name) => JSON.stringify(name ?? "")).join(", ")}],`;
    })
    .join("\n");
}

const lines = (entries) => entries.map(([name, fields]) => `  ${name}: "${fields}",`).join("\n");
const files = await loadSchema();
const isPublish = (file) => file.name === publishFile;
const texts = new Map([
  [
    target,
    `// Made by scripts/wire-tables.mjs from the schema. Do not edit.
//
// One line a message: name[@oneof]:number[*|?]type for each field. * is
// repeated, ? has presence. Types: u uint32, i int32, z sint32, v uint64,
// x int64, d double, b bool, s string, y bytes, e enum, or a message.
export const tables = {
${lines(tables(files))}
} as const;
`,
  ],
  [
    enumsTarget,
    `// Made by scripts/wire-tables.mjs from the schema. Do not edit.

/** Names of enum values, by number. */
export const enums = {
${enums(files.filter((file) => !isPublish(file)))}
} as const;
`,
  ],
  [
    publishTarget,
    `// Made by scripts/wire-tables.mjs from the schema. Do not edit.
//
// What only publishers need, spelt as in tables.ts: messages, and more fields
// for ClientMessage and ServerMessage.
export const publishTables = {
${lines(publishTables(files))}
} as const;

/** Names of enum values, by number. */
export const publishEnums = {
${enums(files.filter(isPublish))}
} as const;
`,
  ],
]);
for (const [path, text] of texts) {
  if (!process.argv.includes("--check")) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    console.error(`${path} is not what the schema gives: run \`npm run generate:wire\``);
    process.exit(1);
  }
}
