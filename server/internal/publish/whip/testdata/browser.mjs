// Opens a page in Chromium and calls its functions: reads lines of
// {"call": name, "argument": value} from standard input, and answers each with a
// line of {"result": value} or {"error": text}. Arguments: the folder whose
// node_modules hold playwright-core, Chromium's path, and the page's URL.
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [modules, executablePath, url] = process.argv.slice(2);
const { chromium } = createRequire(join(modules, "package.json"))("playwright-core");

const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
  ],
});
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
try {
  const page = await browser.newPage();
  await page.goto(url);
  say({ result: "ready" });
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const { call, argument } = JSON.parse(line);
    page.evaluate(([name, value]) => globalThis[name](value), [call, argument]).then(
      (result) => say({ result: result ?? null }),
      (error) => say({ error: String(error) }),
    );
  });
  await new Promise((resolve) => lines.on("close", resolve));
} finally {
  await browser.close();
}
