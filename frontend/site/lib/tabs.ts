// Tabs by the ARIA pattern: one is in the tab order, arrows move between them.

import { type Child, h } from "./dom.ts";

export interface Tab {
  readonly id: string;
  readonly label: readonly Child[];
  /** What the tab shows. Made when it is first shown. */
  readonly panel: () => HTMLElement;
}

/** Fills the container with a tab list and the panel that is chosen. */
export function tabs(container: HTMLElement, label: string, choices: readonly Tab[]): void {
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": label });
  const panels = new Map<string, HTMLElement>();
  const buttons = choices.map((tab) =>
    h(
      "button",
      { type: "button", class: "tab", role: "tab", id: `tab-${tab.id}`, "aria-controls": `panel-${tab.id}` },
      ...tab.label,
    ),
  );

  const choose = (index: number, focus: boolean) => {
    for (const [i, tab] of choices.entries()) {
      const chosen = i === index;
      buttons[i]?.setAttribute("aria-selected", String(chosen));
      buttons[i]?.setAttribute("tabindex", chosen ? "0" : "-1");
      const panel = panels.get(tab.id);
      if (panel) panel.hidden = !chosen;
      else if (chosen) panels.set(tab.id, addPanel(container, tab));
    }
    if (focus) buttons[index]?.focus();
  };

  for (const [index, button] of buttons.entries()) {
    button.addEventListener("click", () => choose(index, false));
    button.addEventListener("keydown", (event) => {
      const next = neighbour(event.key, index, buttons.length);
      if (next === undefined) return;
      event.preventDefault();
      choose(next, true);
    });
  }
  list.append(...buttons);
  container.append(list);
  choose(0, false);
}

function addPanel(container: HTMLElement, tab: Tab): HTMLElement {
  const panel = tab.panel();
  panel.id = `panel-${tab.id}`;
  panel.setAttribute("role", "tabpanel");
  panel.setAttribute("aria-labelledby", `tab-${tab.id}`);
  container.append(panel);
  return panel;
}

/** The tab that a key leads to from the one at index, or undefined. */
function neighbour(key: string, index: number, count: number): number | undefined {
  switch (key) {
    case "ArrowRight":
      return (index + 1) % count;
    case "ArrowLeft":
      return (index + count - 1) % count;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return undefined;
  }
}
