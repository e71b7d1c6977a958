// Builds player/dist, the files of the npm package: one module for each source
// file, with declarations.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const player = fileURLToPath(new URL("../player/", import.meta.url));
const tsc = fileURLToPath(new URL("../node_modules/.bin/tsc", import.meta.url));
rmSync(`${player}dist`, { recursive: true, force: true });
execFileSync(tsc, ["-p", `${player}tsconfig.build.json`], { stdio: "inherit" });
// tsc rewrites the names of imported files in modules, but not in declarations.
for (const name of readdirSync(`${player}dist`, { recursive: true })) {
  if (!name.endsWith(".d.ts")) continue;
  const file = `${player}dist/${name}`;
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/((?:from|import) |import\()"(\.[^"]*)\.ts"/g, '$1"$2.js"'));
}
