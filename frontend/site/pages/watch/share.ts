// The dialog with the ways to show a stream elsewhere.

import { snippet } from "../../lib/copy.ts";
import { h, icon } from "../../lib/dom.ts";
import {
  DEFAULT_OPTIONS,
  type EmbedOptions,
  elementSnippet,
  embedUrl,
  iframeSnippet,
  mp4Url,
  videoSnippet,
} from "../../lib/embed-options.ts";
import { type StreamName, watchPath } from "../../lib/stream-name.ts";

/** Choices of latency; each is a wish, and the player keeps as near to it as the network lets it. */
const LATENCIES: readonly (readonly [value: string, label: string])[] = [
  ["auto", "Automatic"],
  ["200", "0.2 s"],
  ["500", "0.5 s"],
  ["1000", "1 s"],
  ["3000", "3 s"],
];

interface Way {
  readonly title: string;
  readonly hint: string;
  readonly code: (stream: StreamName, options: EmbedOptions) => string;
}

const WAYS: readonly Way[] = [
  {
    title: "Link",
    hint: "This page.",
    code: (stream) => new URL(watchPath(stream), location.origin).href,
  },
  {
    title: "Element",
    hint: "Two lines in a page of yours; the player then belongs to it and can be styled and scripted.",
    code: (stream, options) => elementSnippet(location.origin, stream, options),
  },
  {
    title: "Frame",
    hint: "Where a page takes no scripts.",
    code: (stream, options) => iframeSnippet(location.origin, stream, options),
  },
  {
    title: "Video tag",
    hint: "Without any script. It has no live edge to keep to, so it is further behind.",
    code: (stream, options) => videoSnippet(location.origin, stream, options),
  },
  {
    title: "MP4 address",
    hint: "For VLC, mpv, ffplay and the like.",
    code: (stream) => mp4Url(location.origin, stream),
  },
];

/** Opens the dialog. It is made anew each time, and gone with its preview when closed. */
export function openShareDialog(stream: StreamName): void {
  const codes = WAYS.map((way) => ({ way, shown: snippet(way.code(stream, DEFAULT_OPTIONS), `the ${way.title}`) }));
  const preview = h("iframe", {
    title: "Preview of the embedded player",
    allow: "autoplay; fullscreen; picture-in-picture",
  });
  const show = (options: EmbedOptions) => {
    for (const { way, shown } of codes) shown.set(way.code(stream, options));
    const address = embedUrl(location.origin, stream, options);
    if (preview.src !== address) preview.src = address;
  };

  const close = h(
    "button",
    { type: "button", class: "button", "data-kind": "icon", "aria-label": "Close" },
    icon("close"),
  );
  const dialog = h(
    "dialog",
    { class: "sheet share", "aria-labelledby": "share-title" },
    h("div", { class: "sheet-head" }, h("h2", { id: "share-title" }, "Share and embed"), close),
    h(
      "div",
      { class: "sheet-body" },
      optionsForm(show),
      h(
        "div",
        { class: "share-columns" },
        h("div", { class: "share-codes" }, ...codes.map(({ way, shown }) => codeBlock(way, shown.element))),
        h("div", { class: "share-preview" }, h("h3", {}, "Preview"), preview),
      ),
    ),
  );
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  show(DEFAULT_OPTIONS);
  dialog.showModal();
}

function codeBlock(way: Way, code: HTMLElement): HTMLElement {
  return h("section", { class: "share-code" }, h("h3", {}, way.title), code, h("p", { class: "share-hint" }, way.hint));
}

function optionsForm(changed: (options: EmbedOptions) => void): HTMLElement {
  const box = (checked: boolean) => h("input", { type: "checkbox", checked });
  const boxes = {
    autoplay: box(DEFAULT_OPTIONS.autoplay),
    muted: box(DEFAULT_OPTIONS.muted),
    controls: box(DEFAULT_OPTIONS.controls),
  };
  const latency = h("select", {}, ...LATENCIES.map(([value, label]) => h("option", { value }, label)));
  const hint = h(
    "p",
    { class: "share-hint" },
    "Browsers start a video with sound only after a click; the player then asks for one.",
  );
  hint.hidden = true;
  const form = h(
    "fieldset",
    { class: "share-options" },
    h("legend", {}, "Options"),
    h("label", {}, boxes.autoplay, "Autoplay"),
    h("label", {}, boxes.muted, "Muted"),
    h("label", {}, boxes.controls, "Controls"),
    h("label", {}, "Latency", latency),
  );
  form.addEventListener("change", () => {
    hint.hidden = !boxes.autoplay.checked || boxes.muted.checked;
    changed({
      autoplay: boxes.autoplay.checked,
      muted: boxes.muted.checked,
      controls: boxes.controls.checked,
      latency: latency.value === "auto" ? "auto" : Number(latency.value),
    });
  });
  return h("div", {}, form, hint);
}
