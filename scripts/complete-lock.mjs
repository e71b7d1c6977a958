// Completes frontend/package-lock.json after a package was added or renewed.
//
//   node scripts/complete-lock.mjs
//
// Packages with a binary for each platform name those binaries as optional
// dependencies. npm leaves out of the lock file what the registry in use does
// not have, as a mirror for one platform, and `npm ci` then refuses the lock
// file altogether. This adds the missing ones by name, version and platform, so
// that `npm ci` works on all of them.
import { readFileSync, writeFileSync } from "node:fs";

const path = new URL("../frontend/package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(path, "utf8"));

const SYSTEMS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
/** Processors whose name in a package's name is not the one that Node.js has for it. */
const PROCESSORS = { armv7: "arm" };

/** Reads the platform from a name such as `@biomejs/cli-linux-x64-musl`. */
function platformOf(name) {
  const parts = name.slice(name.lastIndexOf("/") + 1).split("-");
  const at = parts.findIndex((part) => SYSTEMS.includes(part));
  const cpu = parts[at + 1];
  if (at < 0 || !cpu) throw new Error(`${name}: the name tells no platform`);
  const libc = parts.at(-1) === "musl" ? { libc: ["musl"] } : {};
  return { cpu: [PROCESSORS[cpu] ?? cpu], ...libc, os: [parts[at]] };
}

const added = [];
for (const [parent, { dev, license, optionalDependencies = {} }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const key = `node_modules/${name}`;
    if (lock.packages[key] || lock.packages[`${parent}/${key}`]) continue;
    lock.packages[key] = { version, ...(dev && { dev }), ...(license && { license }), optional: true, ...platformOf(name) };
    added.push(name);
  }
}
const byKey = ([a], [b]) => (a < b ? -1 : 1);
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(byKey));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length > 0 ? `added ${added.join(", ")}` : "the lock file is complete");
