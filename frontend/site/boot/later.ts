/** Marks what stands in a page in place of a script that waits: a link, which has it fetched. */
const waiting = "link[data-later]";

let called = false;

/** Has the browser run the page's scripts, in their order, once it has read the page. */
export function addLaterScripts(): void {
  if (called) return;
  called = true;
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", add, { once: true });
  else add();
}

function add(): void {
  for (const link of document.querySelectorAll<HTMLLinkElement>(waiting)) {
    const script = document.createElement("script");
    script.type = "module";
    script.async = false; // in their order
    script.crossOrigin = "";
    script.src = link.href;
    document.head.append(script);
  }
}
