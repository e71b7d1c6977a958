import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { FramewirePlayerElement, FramewireVideoElement } from "../src/index.ts";
import { template } from "../src/ui/template.ts";

interface Declaration {
  readonly tagName: string;
  readonly attributes: readonly { readonly name: string }[];
  readonly slots?: readonly { readonly name: string }[];
  readonly cssParts: readonly { readonly name: string }[];
  readonly cssProperties: readonly { readonly name: string }[];
}

const manifest = JSON.parse(readFileSync(new URL("../custom-elements.json", import.meta.url), "utf8")) as {
  readonly modules: readonly { readonly declarations: readonly Declaration[] }[];
};
const declared = (tag: string): Declaration => {
  const found = manifest.modules.flatMap((module) => module.declarations).find(({ tagName }) => tagName === tag);
  if (!found) throw new Error(`the manifest does not declare ${tag}`);
  return found;
};
const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name).sort();
const found = (pattern: RegExp) => [...template.matchAll(pattern)].map((match) => match[1] ?? "");

it("declares the attributes that the elements observe", () => {
  // Read when a connection is opened, not observed.
  const unobserved = ["muted", "no-worker", "token"];
  expect(names(declared("framewire-video").attributes)).toEqual(
    [...FramewireVideoElement.observedAttributes, ...unobserved].sort(),
  );
  expect(names(declared("framewire-player").attributes)).toEqual([...FramewirePlayerElement.observedAttributes].sort());
});

it("declares the parts, slots and custom properties of the template", () => {
  const player = declared("framewire-player");
  expect(names(player.cssParts)).toEqual(found(/ part="([^"]+)"/g).sort());
  expect(names(player.slots ?? [])).toEqual(found(/<slot name="([^"]+)"/g).sort());
  expect(names(player.cssProperties)).toEqual([...new Set(found(/var\((--framewire-[a-z-]+)/g))].sort());
});
