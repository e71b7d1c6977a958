// Builds player/dist, or the folder that is named, the files of the npm package:
// one module for each source file, with declarations, and with those of the
// messages that they speak of.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const player = fileURLToPath(new URL("../player/", import.meta.url));
const tsc = fileURLToPath(new URL("../node_modules/.bin/tsc", import.meta.url));
const dist = resolve(process.argv[2] ?? `${player}dist`);
rmSync(dist, { recursive: true, force: true });
const schema = fileURLToPath(new URL("../node_modules/@framewire/schema/src/framewire/v1/", import.meta.url));
const messages = readdirSync(schema).filter((name) => name.endsWith("_pb.ts") && !name.startsWith("admin"));
const settings = ["--target", "es2022", "--module", "nodenext", "--preserveSymlinks", "--skipLibCheck"];
const onlyTypes = ["--declaration", "--emitDeclarationOnly", "--outDir", `${dist}/schema`, "--rootDir", schema];

execFileSync(tsc, ["-p", `${player}tsconfig.build.json`, "--outDir", dist], { stdio: "inherit" });
// A package of its own for types alone would be one more to publish.
execFileSync(tsc, [...messages.map((name) => schema + name), "--ignoreConfig", ...settings, ...onlyTypes], {
  stdio: "inherit",
});
// tsc rewrites the names of imported files in modules, but not in declarations.
for (const name of readdirSync(dist, { recursive: true })) {
  if (!name.endsWith(".d.ts")) continue;
  const file = `${dist}/${name}`;
  const up = "../".repeat(name.split(sep).length - 1) || "./";
  const text = readFileSync(file, "utf8")
    .replace(/((?:from|import) |import\()"(\.[^"]*)\.ts"/g, '$1"$2.js"')
    .replace(/"@framewire\/schema\/(\w+)"/g, `"${up}schema/$1_pb.js"`);
  writeFileSync(file, text);
}
