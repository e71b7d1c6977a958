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
  for await (const line of createInterface({ input: process.stdin })) {
    const { call, argument } = JSON.parse(line);
    try {
      const result = await page.evaluate(([name, value]) => globalThis[name](value), [call, argument]);
      say({ result: result ?? null });
    } catch (error) {
      say({ error: String(error) });
    }
  }
} finally {
  await browser.close();
}
