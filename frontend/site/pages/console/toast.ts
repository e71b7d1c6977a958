// What came of an action, told in passing.

import { h, icon } from "../../lib/dom.ts";
import { explain } from "./api.ts";

/** How long good news stays, in milliseconds; bad news stays until it is closed. */
const STAY_MS = 6_000;

const region = h("div", { class: "toasts", role: "status" });

export function toast(text: string, failed = false): void {
  if (!region.isConnected) document.body.append(region);
  const close = h(
    "button",
    { type: "button", class: "button", "data-kind": "icon", "aria-label": "Dismiss" },
    icon("close"),
  );
  const element = h(
    "p",
    { class: "toast", "data-tone": failed ? "warn" : "good" },
    icon(failed ? "offline" : "check"),
    h("span", {}, text),
    close,
  );
  close.addEventListener("click", () => element.remove());
  region.append(element);
  if (!failed) setTimeout(() => element.remove(), STAY_MS);
}

/** Runs what a button is for; the button waits for the server's answer. */
export async function perform(button: HTMLButtonElement, done: string, action: () => Promise<unknown>): Promise<void> {
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    await action();
    toast(done);
  } catch (error) {
    toast(explain(error), true);
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
}
