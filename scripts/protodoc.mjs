// Writes docs/protocol.md from the schema's comments.
//
//   buf build --exclude-imports -o -#format=json | node scripts/protodoc.mjs > docs/protocol.md
//
// Reads a FileDescriptorSet with source information in ProtoJSON on standard
// input. No dependencies.
import { stdin, stdout } from "node:process";

// Field numbers within descriptor.proto, of which the paths of
// SourceCodeInfo.Location are made.
const FILE_SYNTAX = 12;
const FILE_MESSAGES = 4;
const FILE_ENUMS = 5;
const MESSAGE_FIELDS = 2;
const MESSAGE_NESTED = 3;
const MESSAGE_ENUMS = 4;
const MESSAGE_ONEOFS = 8;
const ENUM_VALUES = 2;

// The order of reading: how a session goes, what is asked and answered, media,
// publishing.
const FILE_ORDER = ["session.proto", "control.proto", "media.proto", "publish.proto"];
const FILE_TITLES = {
  "session.proto": "Session",
  "control.proto": "Commands and directives",
  "media.proto": "Streams and media",
  "publish.proto": "Publishing",
};

const basename = (path) => path.slice(path.lastIndexOf("/") + 1);
const anchor = (name) => name.toLowerCase().replaceAll(".", "");
const indent = (text) => text.replaceAll(/^ /gm, "");

/** Returns a lookup from a path within the file to its comment. */
function comments(file) {
  const byPath = new Map();
  for (const location of file.sourceCodeInfo?.location ?? []) {
    if (location.leadingComments) byPath.set((location.path ?? []).join("."), indent(location.leadingComments).trim());
  }
  return (...path) => byPath.get(path.join(".")) ?? "";
}

/** A comment as a table's cell: one line, bars escaped. */
const cell = (comment) => comment.replaceAll(/\s*\n\s*/g, " ").replaceAll("|", "\\|");

/**
 * A comment as paragraphs. Lines that are indented within it, such as a list of
 * names with their meaning, become a code block.
 */
function paragraphs(comment) {
  return comment
    .split(/\n\s*\n/)
    .map((paragraph) => (/^ {2}/m.test(paragraph) ? `\`\`\`text\n${dedent(paragraph)}\n\`\`\`` : paragraph))
    .join("\n\n");
}

function dedent(paragraph) {
  const lines = paragraph.split("\n");
  const depth = Math.min(...lines.map((line) => line.length - line.trimStart().length));
  return lines.map((line) => line.slice(depth)).join("\n");
}

const SCALARS = {
  TYPE_DOUBLE: "double",
  TYPE_FLOAT: "float",
  TYPE_INT64: "int64",
  TYPE_UINT64: "uint64",
  TYPE_INT32: "int32",
  TYPE_FIXED64: "fixed64",
  TYPE_FIXED32: "fixed32",
  TYPE_BOOL: "bool",
  TYPE_STRING: "string",
  TYPE_BYTES: "bytes",
  TYPE_UINT32: "uint32",
  TYPE_SFIXED32: "sfixed32",
  TYPE_SFIXED64: "sfixed64",
  TYPE_SINT32: "sint32",
  TYPE_SINT64: "sint64",
};

function fieldType(field, packageName) {
  const repeated = field.label === "LABEL_REPEATED" ? "repeated " : field.proto3Optional ? "optional " : "";
  const scalar = SCALARS[field.type];
  if (scalar) return repeated + scalar;
  const name = field.typeName.replace(`.${packageName}.`, "");
  return `${repeated}[${name}](#${anchor(name)})`;
}

function* fieldTable(fields, packageName, comment) {
  yield "| # | field | type | |";
  yield "|--:|---|---|---|";
  for (const [index, field] of fields) {
    yield `| ${field.number} | \`${field.name}\` | ${fieldType(field, packageName)} | ${cell(comment(index))} |`;
  }
}

function* message(descriptor, path, prefix, context) {
  const name = prefix + descriptor.name;
  yield `### ${name}`;
  yield "";
  yield paragraphs(context.comment(...path));
  yield "";

  const fields = [...(descriptor.field ?? []).entries()];
  const fieldComment = (index) => context.comment(...path, MESSAGE_FIELDS, index);
  // proto3 `optional` fields are made into oneofs of their own; they are none.
  const inOneof = (field) => field.oneofIndex !== undefined && !field.proto3Optional;
  const plain = fields.filter(([, field]) => !inOneof(field));
  if (plain.length > 0) {
    yield* fieldTable(plain, context.package, fieldComment);
    yield "";
  }
  for (const [oneofIndex, oneof] of (descriptor.oneofDecl ?? []).entries()) {
    const arms = fields.filter(([, field]) => inOneof(field) && field.oneofIndex === oneofIndex);
    if (arms.length === 0) continue;
    yield `One of \`${oneof.name}\`: ${context.comment(...path, MESSAGE_ONEOFS, oneofIndex)}`;
    yield "";
    yield* fieldTable(arms, context.package, fieldComment);
    yield "";
  }
  for (const [index, nested] of (descriptor.nestedType ?? []).entries()) {
    yield* message(nested, [...path, MESSAGE_NESTED, index], `${name}.`, context);
  }
  for (const [index, nested] of (descriptor.enumType ?? []).entries()) {
    yield* enumeration(nested, [...path, MESSAGE_ENUMS, index], `${name}.`, context);
  }
}

function* enumeration(descriptor, path, prefix, context) {
  yield `### ${prefix}${descriptor.name}`;
  yield "";
  yield paragraphs(context.comment(...path));
  yield "";
  yield "| # | value | |";
  yield "|--:|---|---|";
  for (const [index, value] of descriptor.value.entries()) {
    yield `| ${value.number ?? 0} | \`${value.name}\` | ${cell(context.comment(...path, ENUM_VALUES, index))} |`;
  }
  yield "";
}

function* section(file) {
  const context = { comment: comments(file), package: file.package };
  yield `## ${FILE_TITLES[basename(file.name)] ?? basename(file.name)}`;
  yield "";
  yield paragraphs(context.comment(FILE_SYNTAX));
  yield "";
  yield `Defined in [\`${basename(file.name)}\`](../proto/${file.name}).`;
  yield "";
  for (const [index, descriptor] of (file.messageType ?? []).entries()) {
    yield* message(descriptor, [FILE_MESSAGES, index], "", context);
  }
  for (const [index, descriptor] of (file.enumType ?? []).entries()) {
    yield* enumeration(descriptor, [FILE_ENUMS, index], "", context);
  }
}

function* contents(files) {
  for (const file of files) {
    const title = FILE_TITLES[basename(file.name)] ?? basename(file.name);
    const names = [...(file.messageType ?? []), ...(file.enumType ?? [])].map(({ name }) => `[${name}](#${anchor(name)})`);
    yield `- [${title}](#${title.toLowerCase().replaceAll(" ", "-")}): ${names.join(", ")}`;
  }
}

function* page(files) {
  yield "<!-- Made by `make generate` from the comments in proto/. Do not edit. -->";
  yield "";
  yield "# The Framewire protocol";
  yield "";
  yield "Everything that passes between a server and a player is a message of this schema, in both directions. [Write a client](write-a-client.md) shows a session from a small script; [architecture](architecture.md) tells why it is as it is.";
  yield "";
  yield* contents(files);
  yield "";
  for (const file of files) yield* section(file);
}

async function read(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

const rank = (file) => {
  const index = FILE_ORDER.indexOf(basename(file.name));
  return index < 0 ? FILE_ORDER.length : index;
};

const files = JSON.parse(await read(stdin)).file.toSorted((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
stdout.write(`${[...page(files)].join("\n").replaceAll(/\n{3,}/g, "\n\n").trimEnd()}\n`);
