import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../stage/programs.js";

/**
 * Opens a page with the probe in it, in a profile of its own, and with nothing
 * else that browsers at home do not have: where Playwright opens a page, it stops
 * each worker of it until it has looked at it, which takes longer than starting
 * the worker.
 */
export async function openBare(browser, url, { width = 1280, height = 720 } = {}) {
  const session = await browser.newBrowserCDPSession();
  const { browserContextId } = await session.send("Target.createBrowserContext");
  const { targetId } = await session.send("Target.createTarget", {
    url: "about:blank",
    browserContextId,
    width,
    height,
  });
  const { sessionId } = await session.send("Target.attachToTarget", { targetId, flatten: false });
  const call = calls(session, sessionId);
  const source = await readFile(join(root, "frontend", "bench", "probe.js"), "utf8");
  await call("Page.enable");
  await call("Page.addScriptToEvaluateOnNewDocument", { source });
  await call("Page.navigate", { url });
  return {
    /** Goes on to another page, whose frames are then the ones noted. */
    goto: (url) => call("Page.navigate", { url }),
    /** Runs a function in the page. Resolves with what it returns. */
    async evaluate(f) {
      const expression = `(${f})()`;
      const { result, exceptionDetails } = await call("Runtime.evaluate", { expression, returnByValue: true });
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    },
    async close() {
      await session.send("Target.disposeBrowserContext", { browserContextId });
      await session.detach();
    },
  };
}

/** Calls of the DevTools protocol to one target, through the browser's session. */
function calls(session, sessionId) {
  const waiting = new Map();
  session.on("Target.receivedMessageFromTarget", (event) => {
    if (event.sessionId !== sessionId) return;
    const { id, error, result } = JSON.parse(event.message);
    const answer = waiting.get(id);
    waiting.delete(id);
    if (error) answer?.reject(new Error(error.message));
    else answer?.resolve(result);
  });
  let last = 0;
  return (method, params = {}) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, { resolve, reject });
      const message = JSON.stringify({ id, method, params });
      session.send("Target.sendMessageToTarget", { sessionId, message }).catch(reject);
    });
}
