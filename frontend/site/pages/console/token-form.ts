// What is shown in place of the console while the server does not let it in.

import { h, icon, setText } from "../../lib/dom.ts";
import { token } from "./api.ts";
import type { Standing } from "./feed.ts";

export interface TokenForm {
  show(standing: Extract<Standing, { kind: "token" | "closed" }>): void;
}

/** Fills the element; entered is called when there is something new to try. */
export function setUpToken(gate: HTMLElement, entered: () => void): TokenForm {
  const title = h("h1", { id: "gate-title" });
  const failure = h("p", { class: "notice", role: "alert", hidden: true });
  const input = h("input", {
    ...{ type: "password", id: "token", required: true, autocomplete: "off", spellcheck: "false" },
    "aria-describedby": "token-hint",
  });
  // Without this script it would go nowhere: there is no name to send the token under.
  const form = h(
    "form",
    { method: "post" },
    h("label", { class: "field" }, h("span", {}, "Token"), input),
    h(
      "p",
      { class: "hint", id: "token-hint" },
      "It has to allow the action admin. ",
      h("code", {}, "framewire token --actions admin"),
      " makes one. It is kept in this tab until the tab is closed.",
    ),
    h("button", { type: "submit", class: "button", "data-kind": "primary" }, icon("key"), "Open the console"),
  );
  const retry = h("button", { type: "button", class: "button" }, icon("restart"), "Try again");
  gate.append(title, failure, form, retry);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    token.set(input.value.trim());
    input.value = "";
    entered();
  });
  retry.addEventListener("click", entered);

  return {
    show({ kind, message }) {
      setText(title, kind === "token" ? "This server asks for a token" : "The console is closed");
      setText(failure, message && `${message.charAt(0).toUpperCase()}${message.slice(1)}.`);
      failure.hidden = message === "";
      form.hidden = kind !== "token";
      retry.hidden = kind === "token";
      if (kind === "token") input.focus();
    },
  };
}
