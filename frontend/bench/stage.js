import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const bin = (name) => join(root, "bin", name);

/** Programs that have been started, to be ended with the benchmark. */
const running = new Set();

/** Starts a program; resolves with the first line on `stream` that `pick` makes something of. */
async function start(command, args, stream, pick) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  const last = [];
  const found = Promise.withResolvers ? Promise.withResolvers() : withResolvers();
  for (const name of ["stdout", "stderr"]) {
    createInterface({ input: child[name] }).on("line", (line) => {
      last.push(line);
      if (last.length > 20) last.shift();
      const value = name === stream ? pick(line) : undefined;
      if (value !== undefined) found.resolve(value);
    });
  }
  child.once("error", found.reject);
  child.once("exit", (code) => found.reject(new Error(`${command} ended with ${code}:\n${last.join("\n")}`)));
  return { child, value: await found.promise };
}

function withResolvers() {
  const r = {};
  r.promise = new Promise((resolve, reject) => Object.assign(r, { resolve, reject }));
  return r;
}

async function stop(child) {
  if (child.exitCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  await gone;
}

/** Starts the server with the clock as its stream. Resolves with its address. */
export async function startServer({ audio = true, codec = "h264" } = {}) {
  const clock = [bin("benchclock"), ...(audio ? [] : ["--no-audio"]), "--video-codec", codec];
  const { child, value } = await start(
    bin("framewire"),
    [
      "serve",
      "--listen",
      "127.0.0.1:0",
      "--rtmp",
      "off",
      "--webrtc",
      "off",
      "--origin",
      "*",
      "--source",
      `clock=exec:${clock.join(" ")}`,
    ],
    "stderr",
    (line) => (/msg=listening/.test(line) ? /addr=(\S+)/.exec(line)?.[1] : undefined),
  );
  await live(value);
  return { address: value, stop: () => stop(child) };
}

/** Waits until the stream can be seen. */
async function live(address) {
  for (let i = 0; i < 100; i++) {
    const response = await fetch(`http://${address}/streams/clock.mp4`, { signal: AbortSignal.timeout(2000) }).catch(
      () => undefined,
    );
    await response?.body?.cancel();
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the clock did not go live within 10 s");
}

/** Puts a bad network in front of an address. */
export async function startNetwork(target, profile) {
  const { child, value } = await start(
    bin("badnet"),
    ["--target", target, "--profile", JSON.stringify(profile)],
    "stdout",
    (line) => (line.startsWith("{") ? JSON.parse(line) : undefined),
  );
  return {
    address: value.listen,
    /** Changes how the network behaves. */
    async set(next) {
      const response = await fetch(`http://${value.control}/profile`, { method: "PUT", body: JSON.stringify(next) });
      if (!response.ok) throw new Error(`badnet: ${await response.text()}`);
    },
    stop: () => stop(child),
  };
}

function executable() {
  const candidates = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const found = candidates.find((path) => path && existsSync(path));
  if (!found) throw new Error("no Chromium: install it, or set CHROMIUM to its path");
  return found;
}

/** Starts Chromium, headless. */
export function startBrowser() {
  return chromium.launch({
    executablePath: executable(),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
}

/** Opens the player with sound and the probe in it. */
export async function openPlayer(browser, address, { query = "", busy = 0 } = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
  await page.addInitScript({ path: join(root, "frontend", "bench", "probe.js") });
  if (busy > 0) await page.addInitScript(work, busy);
  await page.goto(`http://${address}/embed/clock?autoplay=1&muted=0${query}`, { waitUntil: "commit" });
  return page;
}

/** Keeps the page's thread busy for the given part of the time. */
function work(part) {
  const period = 50;
  setInterval(() => {
    const end = performance.now() + period * part;
    while (performance.now() < end);
  }, period);
}

/** The frames noted so far. */
export const framesOf = (page) => page.evaluate(() => window.benchFrames);

/** The player's own figures. */
export const statsOf = (page) => page.evaluate(() => document.querySelector("framewire-player")?.stats);

/** Ends what is still running. */
export async function stopAll() {
  await Promise.all([...running].map(stop));
}
