import { describe, expect, test } from "vitest";
import {
  DEFAULT_OPTIONS,
  type EmbedOptions,
  elementSnippet,
  embedUrl,
  iframeSnippet,
  parseEmbedOptions,
  videoSnippet,
} from "./embed-options.ts";
import type { StreamName } from "./stream-name.ts";

const origin = "https://tv.example";
const stream = "yard/gate" as StreamName;
const options = (changes: Partial<EmbedOptions>): EmbedOptions => ({ ...DEFAULT_OPTIONS, ...changes });

describe("parseEmbedOptions", () => {
  test.each([
    ["", {}],
    ["autoplay", {}],
    ["autoplay=0", { autoplay: false }],
    ["muted=false&controls=off", { muted: false, controls: false }],
    ["muted=YES", {}],
    ["muted=maybe", {}],
    ["latency=500", { latency: 500 }],
    ["latency=auto", {}],
    ["latency=0", {}],
    ["latency=-5", {}],
    ["latency=60001", {}],
    ["latency=1e3", {}],
  ] satisfies [string, Partial<EmbedOptions>][])("?%s", (query, changes) =>
    expect(parseEmbedOptions(new URLSearchParams(query))).toEqual(options(changes)),
  );
});

test("an address read back holds the options it was made from", () => {
  for (const autoplay of [true, false]) {
    for (const muted of [true, false]) {
      for (const controls of [true, false]) {
        for (const latency of ["auto", 250] as const) {
          const made = { autoplay, muted, controls, latency };
          const url = new URL(embedUrl(origin, stream, made));
          expect(url.pathname).toBe("/embed/yard/gate");
          expect(parseEmbedOptions(url.searchParams)).toEqual(made);
        }
      }
    }
  }
});

describe("snippets", () => {
  test("the element names the socket and its options", () => {
    expect(elementSnippet(origin, stream, options({ muted: false, controls: false, latency: 300 }))).toBe(
      '<script type="module" src="https://tv.example/player.js"></script>\n' +
        '<framewire-player src="wss://tv.example/ws?stream=yard/gate" autoplay nocontrols latency="300"></framewire-player>',
    );
  });

  test("the iframe escapes its address", () => {
    const code = iframeSnippet(origin, stream, options({ autoplay: false, muted: false }));
    expect(code).toContain('src="https://tv.example/embed/yard/gate?autoplay=0&amp;muted=0"');
  });

  test("the video tag has the switches that are on", () => {
    expect(videoSnippet(origin, stream, options({ autoplay: false }))).toBe(
      '<video src="https://tv.example/streams/yard/gate.mp4" muted controls playsinline></video>',
    );
  });
});
