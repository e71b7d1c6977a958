import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { compileTemplate, parse } from "vue/compiler-sfc";

const frontend = fileURLToPath(new URL("../../", import.meta.url));
const player = join(frontend, "player");
const tsc = join(frontend, "node_modules", ".bin", "tsc");

/** A project of somebody who has installed the packed package, and what it depends on. */
let project: string;

// Compilers take seconds where other programs want the processor, too.
vi.setConfig({ testTimeout: 60_000 });

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "framewire-package-"));
  const installed = join(project, "node_modules", "@framewire", "player");
  mkdirSync(installed, { recursive: true });
  // Not in the checkout, where others may build or read it meanwhile.
  const built = join(project, "package");
  for (const name of ["package.json", "README.md", "custom-elements.json", "types"]) {
    cpSync(join(player, name), join(built, name), { recursive: true });
  }
  execFileSync(process.execPath, [join(frontend, "scripts", "build-package.mjs"), join(built, "dist")]);
  const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", project], { cwd: built });
  execFileSync("tar", ["-xzf", join(project, packed.toString().trim()), "--strip-components=1", "-C", installed]);
  const { dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  for (const [name, version] of Object.entries(dependencies)) {
    expect(version, `version of ${name}`).toMatch(/^\d/);
    install(name);
  }
  install("vue");
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
}, 60_000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** Has the project depend on a package, or on another one under its name. */
function install(name: string, from = name): void {
  const path = join(project, "node_modules", name);
  mkdirSync(join(path, ".."), { recursive: true });
  rmSync(path, { force: true });
  symlinkSync(join(frontend, "node_modules", from), path);
}

/** What a bundler leaves of a module. */
async function bundled(code: string, name = "entry.js"): Promise<string> {
  const input = join(project, name);
  writeFileSync(input, code);
  const bundle = await rolldown({ input, external: /^react\//, logLevel: "silent" });
  const { output } = await bundle.generate({ format: "es" });
  return output.map((file) => (file.type === "chunk" ? file.code : "")).join("\n");
}

/** The first block of a language in the package's own documentation that mentions something. */
function told(language: string, mentioned: string): string {
  const guide = readFileSync(join(project, "node_modules", "@framewire", "player", "README.md"), "utf8");
  const blocks = [...guide.matchAll(/```(\w+)\n([\s\S]*?)```/g)];
  const [, , code] = blocks.find(([, tag, text]) => tag === language && text?.includes(mentioned)) ?? [];
  if (!code) throw new Error(`README.md shows no ${mentioned} in ${language}`);
  return code;
}

/** What the compiler objects to in modules, by their names. */
function complaints(modules: Readonly<Record<string, string>>): string {
  for (const [name, code] of Object.entries(modules)) writeFileSync(join(project, name), code);
  const strict = [
    "--noEmit",
    "--strict",
    "--module",
    "nodenext",
    "--target",
    "es2023",
    "--lib",
    "es2023,dom,dom.iterable",
    "--jsx",
    "react-jsx",
  ];
  try {
    execFileSync(tsc, [...strict, ...Object.keys(modules)], { cwd: project });
    return "";
  } catch (error) {
    return String((error as { stdout?: Buffer }).stdout);
  }
}

it("can be imported where there is no document", () => {
  const entries = ["", "/client", "/publish", "/define", "/define-video"].map((entry) => `@framewire/player${entry}`);
  const code = entries.map((entry) => `await import(${JSON.stringify(entry)});`).join("");
  execFileSync(process.execPath, ["--input-type=module", "--eval", code], { cwd: project });
});

it("registers its elements and controls when bundled, and is gone from the bundle when nothing of it is used", async () => {
  const whole = await bundled('import "@framewire/player/define";');
  expect(whole).toContain("media-live-button");
  expect(whole).toMatch(/define\("framewire-video"/);
  expect(whole).toMatch(/define\("framewire-player"/);
  expect(await bundled('import "@framewire/player/define-video";')).toMatch(/define\("framewire-video"/);
  expect(await bundled('import "@framewire/player";')).not.toMatch(/class |function /);
  const headless = await bundled('import { connect } from "@framewire/player"; globalThis.connect = connect;');
  expect(headless).not.toMatch(/HTMLElement|MediaSource\(/);
});

it("has types that hold, down to the messages", () => {
  const code = `
    import { connect, type FramewirePlayerElement, type Stats } from "@framewire/player";
    import "@framewire/player/define";
    const client = connect("wss://video.example.com/ws?stream=garden");
    client.on("fragment", (fragment) => {
      const track: number = fragment.trackId;
      // @ts-expect-error A number is no text.
      const text: string = fragment.trackId;
      console.log(track, text);
    });
    const element = document.querySelector<FramewirePlayerElement>("framewire-player");
    const stats: Stats | undefined = element?.stats;
    export const done: Promise<void> | undefined = element?.goLive();
    console.log(stats?.latency);`;
  expect(complaints({ "types.ts": code })).toBe("");
});

it("is used in its documentation as it can be", async () => {
  const garden = await bundled(told("tsx", "player/define"), "entry.tsx");
  expect(garden).toMatch(/define\("framewire-player"/);
  expect(garden).toMatch(/jsx\("framewire-player", \{/);
  const given = `declare const token: string; declare function archive(bytes: Uint8Array): void;
    declare const config: { codec: string }, description: Uint8Array<ArrayBuffer>, width: number, height: number;
    declare const chunk: EncodedVideoChunk, data: Uint8Array<ArrayBuffer>; declare let wanted: boolean;\n`;
  const modules = {
    "headless.ts": told("ts", "player/client") + given,
    "publishing.ts": told("ts", "player/publish") + given,
  };
  expect(complaints(modules)).toBe("");
});

it.each(["@types/react", "react-18-types"])("makes its elements known to TSX, with %s", (types) => {
  install("@types/react", types);
  const wrong = `import type {} from "@framewire/player/react";
    // @ts-expect-error There is no such attribute.
    export const none = <framewire-player sorce="wss://video.example.com" />;
    // @ts-expect-error A number is no address.
    export const number = <framewire-video src={7} />;`;
  expect(complaints({ "garden.tsx": told("tsx", "player/define"), "wrong.tsx": wrong })).toBe("");
});

it("makes its elements known to Vue, whose compiler takes what its documentation shows", () => {
  const { descriptor, errors } = parse(told("vue", "player/define"));
  expect(errors).toEqual([]);
  const { code, errors: inTemplate } = compileTemplate({
    source: descriptor.template?.content ?? "",
    filename: "Garden.vue",
    id: "garden",
    compilerOptions: { isCustomElement: (tag) => tag.startsWith("framewire-"), expressionPlugins: ["typescript"] },
  });
  expect(inTemplate).toEqual([]);
  expect(code).toMatch(/createElementBlock\("framewire-player"/);
  const types = `import type { GlobalComponents } from "vue";
    import type {} from "@framewire/player/vue";
    type Props = InstanceType<GlobalComponents["framewire-player"]>["$props"];
    export const right: Props = { src: "wss://video.example.com/ws", autoplay: true, latency: 300 };
    // @ts-expect-error A number is no address.
    export const wrong: Props = { src: 7 };`;
  expect(complaints({ "vue.ts": `${descriptor.scriptSetup?.content ?? ""}\n${types}` })).toBe("");
});
