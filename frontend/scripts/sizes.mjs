// Builds each entry of player/size-budget.json as one minified module, and
// fails when it is larger after gzip than its budget.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const player = fileURLToPath(new URL("../player/", import.meta.url));
const { budgets } = JSON.parse(readFileSync(`${player}size-budget.json`, "utf8"));

async function measure(entry) {
  const bundle = await rolldown({
    input: `${player}${entry}`,
    // Everything is kept that an importer of the entry could ask for.
    preserveEntrySignatures: "strict",
    resolve: { symlinks: false, conditionNames: ["source", "import", "default"] },
    logLevel: "silent",
  });
  const { output } = await bundle.generate({ format: "es", minify: true, codeSplitting: false });
  const code = output
    .filter(({ type }) => type === "chunk")
    .map(({ code }) => code)
    .join("");
  return { raw: Buffer.byteLength(code), gzip: gzipSync(code, { level: 9 }).length };
}

let over = false;
for (const { name, entry, maxBytes } of budgets) {
  const { raw, gzip } = await measure(entry);
  const verdict = gzip > maxBytes ? "TOO LARGE" : "ok";
  over ||= gzip > maxBytes;
  console.log(`${name}: ${raw} bytes, ${gzip} after gzip, ${maxBytes} allowed: ${verdict}`);
}
if (over) process.exit(1);
