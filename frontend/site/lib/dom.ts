// The few lines that a page needs in place of a framework.

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;
export type Child = Node | string | undefined;

/**
 * Makes an element. Attributes that are false or undefined are left out, true
 * ones are set empty. Text becomes text nodes, so nothing here parses markup.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  append(element, children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** The names of the drawings below. */
export type IconName = keyof typeof ICONS;

// Drawn on a grid of 24, in lines of the current colour.
const ICONS = {
  broadcast:
    "M12 13a1.5 1.5 0 100-3 1.5 1.5 0 000 3zM8 15.5a5.5 5.5 0 010-8M16 7.5a5.5 5.5 0 010 8M5 18.5a10 10 0 010-14M19 4.5a10 10 0 010 14",
  check: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6L6 18",
  code: "M8 7l-5 5 5 5M16 7l5 5-5 5M13.5 5l-3 14",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 100-6 3 3 0 000 6z",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 12h16M4 8.5h4M4 15.5h4M16 8.5h4M16 15.5h4",
  camera: "M3 7h12v10H3zM15 11l6-3.5v9L15 13",
  key: "M8 16a4 4 0 100-8 4 4 0 000 8zM12 12h9.5v4M17.5 12v3",
  kick: "M10 4H5v16h5M14 8l5 4-5 4M19 12H9",
  offline: "M2.5 12h5l1.5-3.5M21.5 12h-3.5l-1.5 4M4 4l16 16",
  open: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  pulse: "M3 12h4l2.5-6 4 12L16 10l1.5 2H21",
  plus: "M12 5v14M5 12h14",
  restart: "M4.5 12a7.5 7.5 0 112.2 5.3M4 20v-4.5h4.5",
  send: "M20.5 3.5L3 10.5l7 3 3 7zM10 13.5l10.5-10",
  terminal: "M4 6l6 6-6 6M12 18h8",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
} as const;

/** Makes an icon for decoration; the text beside it, or aria-label, says what it means. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  setAttributes(svg, { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" });
  const path = document.createElementNS(SVG, "path");
  setAttributes(path, { d: ICONS[name] });
  svg.append(path);
  return svg;
}

/** Returns the page's element with this id, which its HTML file has. */
export function byId<T extends Element>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page lacks #${id} as a ${type.name}`);
  return element;
}

/** Sets an element's text, and touches the page only when it differs. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

function append(element: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (child !== undefined) element.append(child);
  }
}
