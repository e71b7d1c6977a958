// Dialogs: a heading, a form, and a place for what went wrong.

import { type Child, h, icon, setText } from "../../lib/dom.ts";
import { explain } from "./api.ts";

export interface FormDialog {
  readonly dialog: HTMLDialogElement;
  /** Where what went wrong is told. */
  fail(message: string): void;
  close(): void;
}

export interface FormDialogOptions {
  readonly title: string;
  readonly body: readonly Child[];
  /** The word on the button that does it. */
  readonly submit: string;
  /** It takes something away. */
  readonly danger?: boolean;
  /** Does it. The dialog closes when it is done, unless stay is set; an error is shown in it. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  readonly stay?: boolean;
  /** Below the buttons. */
  readonly after?: readonly Child[];
}

let count = 0;

/** Opens a dialog; it is gone from the page when it is closed, and what it runs is given up. */
export function openForm(options: FormDialogOptions): FormDialog {
  const { title, submit, danger, run, stay } = options;
  const id = `dialog-${++count}`;
  const abort = new AbortController();
  const failure = h("p", { class: "notice", role: "alert", hidden: true });
  const button = h("button", { type: "submit", class: "button", "data-kind": danger ? "danger" : "primary" }, submit);
  const cancel = h("button", { type: "button", class: "button" }, stay ? "Close" : "Cancel");
  const cross = h(
    "button",
    { type: "button", class: "button", "data-kind": "icon", "aria-label": "Close" },
    icon("close"),
  );
  const form = h(
    "form",
    { method: "dialog", class: "sheet-body" },
    ...options.body,
    failure,
    h("div", { class: "sheet-buttons" }, cancel, button),
  );
  const dialog = h(
    "dialog",
    { class: "sheet", "aria-labelledby": id },
    h("div", { class: "sheet-head" }, h("h2", { id }, title), cross),
    form,
    ...(options.after ?? []),
  );

  const fail = (message: string) => {
    setText(failure, message);
    failure.hidden = message === "";
  };
  for (const closer of [cancel, cross]) closer.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    abort.abort();
    dialog.remove();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    fail("");
    button.disabled = true;
    try {
      await run(abort.signal);
      if (!stay) dialog.close();
    } catch (error) {
      if (!abort.signal.aborted) fail(explain(error));
    } finally {
      button.disabled = false;
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, fail, close: () => dialog.close() };
}

/** A control with its name, and a hint below it. */
export function field(label: string, control: HTMLElement, hint?: Child): HTMLLabelElement {
  return h(
    "label",
    { class: "field" },
    h("span", {}, label),
    control,
    hint === undefined ? undefined : h("small", {}, hint),
  );
}
