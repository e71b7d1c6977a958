// Builds what each budget of player/size-budget.json is for, minified, and fails
// when it is larger after gzip than its budget: all files that a browser loads
// for it, which is the worker and not what stands in for it in other browsers.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { withoutIndentation } from "./indentation.mjs";

const player = fileURLToPath(new URL("../player/", import.meta.url));
const { budgets } = JSON.parse(readFileSync(`${player}size-budget.json`, "utf8"));
/** The chunk that takes the worker's place where no worker can play. */
const inPlaceOfWorker = "host";

async function measure(entry) {
  const bundle = await rolldown({
    input: `${player}${entry}`,
    // Everything is kept that an importer of the entry could ask for.
    preserveEntrySignatures: "strict",
    resolve: { symlinks: false, conditionNames: ["source", "import", "default"] },
    plugins: [withoutIndentation()],
    logLevel: "silent",
  });
  const { output } = await bundle.generate({ format: "es", minify: true });
  return output
    .filter((file) => file.type === "chunk" && file.name !== inPlaceOfWorker)
    .map(({ code }) => ({ raw: Buffer.byteLength(code), gzip: gzipSync(code, { level: 9 }).length }));
}

const sum = (files, size) => files.reduce((total, file) => total + file[size], 0);

let over = false;
for (const { name, entries, maxBytes } of budgets) {
  const files = (await Promise.all(entries.map(measure))).flat();
  const [raw, gzip] = [sum(files, "raw"), sum(files, "gzip")];
  const verdict = gzip > maxBytes ? "TOO LARGE" : "ok";
  over ||= gzip > maxBytes;
  console.log(`${name}: ${raw} bytes, ${gzip} after gzip, ${maxBytes} allowed: ${verdict}`);
}
if (over) process.exit(1);
