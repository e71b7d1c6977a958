// Starts and ends the programs that benchmarks and browser tests run against.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

/** The top of the repository. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** How much of what a program says is kept for error messages. */
const keptLines = 40;
/** A program that has not ended this long after SIGTERM is killed. */
const endsWithin = 10_000;

/** Programs that have been started and not ended, as pairs of child and ending. */
const running = new Set();

/**
 * Where a program of the project is: FRAMEWIRE_BIN or FRAMEWIRE_BADNET say so
 * for two of them, and all others are in bin/.
 *
 * @param {string} name
 */
export function program(name) {
  const variable = { framewire: "FRAMEWIRE_BIN", badnet: "FRAMEWIRE_BADNET" }[name];
  const path = (variable && process.env[variable]) || join(root, "bin", name);
  if (!existsSync(path)) throw new Error(`${path} is not there: make build makes bin/framewire, make bench the others`);
  return path;
}

/**
 * Starts a program; resolves with the first value that pick makes of a line.
 *
 * @template T
 * @param {string} command
 * @param {readonly string[]} args
 * @param {"stdout" | "stderr"} stream Where the line is looked for.
 * @param {(line: string) => T | undefined} pick
 * @returns {Promise<{ child: import("node:child_process").ChildProcess, value: T, lines: readonly string[] }>}
 *   lines holds the last of what the program said, now and later.
 */
export async function start(command, args, stream, pick) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  /** @type {string[]} */
  const lines = [];
  const value = await new Promise((resolve, reject) => {
    for (const name of ["stdout", "stderr"]) {
      createInterface({ input: child[name] }).on("line", (line) => {
        lines.push(line);
        if (lines.length > keptLines) lines.shift();
        const value = name === stream ? pick(line) : undefined;
        if (value !== undefined) resolve(value);
      });
    }
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${command} ended with ${code}:\n${lines.join("\n")}`)));
  });
  return { child, value, lines };
}

/**
 * Ends a program.
 *
 * @param {import("node:child_process").ChildProcess} child
 */
export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const kill = setTimeout(() => child.kill("SIGKILL"), endsWithin);
  await gone;
  clearTimeout(kill);
}

/** Ends what is still running. */
export async function stopAll() {
  await Promise.all([...running].map(stop));
}

/**
 * Starts framewire serve on a free port, without the ports of publishers.
 *
 * @param {readonly string[]} args More arguments, such as "--source", "NAME=URL".
 * @param {{ listen?: string }} [options]
 */
export async function serve(args, { listen = "127.0.0.1:0" } = {}) {
  const fixed = ["serve", "--listen", listen, "--rtmp", "off", "--webrtc", "off"];
  const { child, value, lines } = await start(program("framewire"), [...fixed, ...args], "stderr", (line) =>
    /msg=listening/.test(line) ? /addr=(\S+)/.exec(line)?.[1] : undefined,
  );
  return { address: value, child, lines, stop: () => stop(child) };
}

/**
 * Puts a bad network in front of an address.
 *
 * @param {string} target
 * @param {object} [profile] badnet.Profile as JSON.
 */
export async function startNetwork(target, profile = {}) {
  const { child, value } = await start(
    program("badnet"),
    ["--target", target, "--profile", JSON.stringify(profile)],
    "stdout",
    (line) => (line.startsWith("{") ? JSON.parse(line) : undefined),
  );
  /** @param {string} method @param {string} path @param {object} [body] */
  const ask = async (method, path, body) => {
    const response = await fetch(`http://${value.control}${path}`, { method, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(`badnet: ${await response.text()}`);
    return response;
  };
  return {
    /** @type {string} */
    address: value.listen,
    /** Changes how the network behaves. @param {object} next */
    set: (next) => ask("PUT", "/profile", next),
    /** Resets the connections that are open. */
    cut: () => ask("POST", "/cut"),
    /** How many bytes have gone from clients to the server so far. @returns {Promise<number>} */
    sent: async () => (await (await ask("GET", "/stats")).json()).up_bytes,
    stop: () => stop(child),
  };
}

function executable() {
  const candidates = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const found = candidates.find((path) => path && existsSync(path));
  if (!found) throw new Error("no Chromium: install it, or set CHROMIUM to its path");
  return found;
}

/**
 * Starts Chromium, headless.
 *
 * @param {{ autoplay?: boolean, devices?: boolean, loopback?: boolean }} [options] autoplay lets pages play sound
 *   without a click; devices gives them a camera and a microphone that are not real, without asking anybody;
 *   loopback lets WebRTC reach this machine.
 */
export function startBrowser({ autoplay = true, devices = false, loopback = false } = {}) {
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
      ...(loopback ? ["--allow-loopback-in-peer-connection"] : []),
      ...(devices ? ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"] : []),
      `--autoplay-policy=${autoplay ? "no-user-gesture-required" : "document-user-activation-required"}`,
    ],
  });
}
