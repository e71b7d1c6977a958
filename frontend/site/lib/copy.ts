// Commands and code with a button that copies them.

import { h, icon } from "./dom.ts";

/** How long the button says that it is done. */
const DONE_MS = 2_000;

/** Code in a box with a copy button. */
export interface Snippet {
  readonly element: HTMLElement;
  /** Shows, and copies from now on, another text. */
  set(text: string): void;
}

/** Makes a snippet; label says what is copied, for those who do not see it. */
export function snippet(text: string, label: string): Snippet {
  const code = h("code", {}, text);
  const pre = h("pre", { tabindex: "0", role: "group", "aria-label": label }, code);
  const element = h(
    "div",
    { class: "snippet" },
    pre,
    copyButton(() => code.textContent ?? "", code, label),
  );
  return {
    element,
    set(next) {
      if (code.textContent !== next) code.textContent = next;
    },
  };
}

function copyButton(text: () => string, source: Node, label: string): HTMLButtonElement {
  const word = h("span", { "aria-live": "polite" }, "Copy");
  const button = h("button", { type: "button", class: "button", "aria-label": `Copy ${label}` }, icon("copy"), word);
  let timer: ReturnType<typeof setTimeout> | undefined;
  button.addEventListener("click", async () => {
    const done = await copy(text(), source);
    word.textContent = done ? "Copied" : "Press Ctrl+C";
    button.querySelector("svg")?.replaceWith(icon(done ? "check" : "copy"));
    button.setAttribute("aria-label", done ? "Copied" : "Selected; press Control C to copy");
    clearTimeout(timer);
    timer = setTimeout(() => {
      word.textContent = "Copy";
      button.setAttribute("aria-label", `Copy ${label}`);
      button.querySelector("svg")?.replaceWith(icon("copy"));
    }, DONE_MS);
  });
  return button;
}

/**
 * Puts the text on the clipboard. Without a secure context, as on a LAN without
 * TLS, there is no clipboard API: the text is selected and the old command tried;
 * where that fails too, the selection remains for the visitor to copy.
 */
async function copy(text: string, source: Node): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection()?.selectAllChildren(source);
    return document.execCommand("copy");
  }
}
