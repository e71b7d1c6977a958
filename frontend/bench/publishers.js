// Everybody who publishes the clock, each in its own way.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { program, root, serve, startBrowser } from "../stage/programs.js";
import { live } from "./stage.js";

/** The stream that everybody publishes. */
const stream = "clock";

/**
 * A server that takes a stream, and whoever publishes it there.
 *
 * @typedef {{ address: string, stop: () => Promise<void> }} Published
 */

/** The ways, the one first that the others are compared to. */
export const ways = {
  /** The server runs the clock itself. */
  exec: async () => {
    const server = await serve(["--origin", "*", "--source", `${stream}=exec:${program("benchclock")}`]);
    return { address: server.address, stop: server.stop };
  },
  rtmp: () => byFFmpeg((server) => ["-f", "flv", `rtmp://${server.rtmp}/live/${stream}`]),
  whip: () => byBrowser(sendByWHIP),
  studio: () => byBrowser(goLiveInStudio),
  // One frame of sound in a packet: ffmpeg gathers some 200 ms of it otherwise.
  push: () =>
    byFFmpeg((server) => ["-pes_payload_size", "0", "-f", "mpegts", `http://${server.address}/publish/${stream}`]),
};

/**
 * Starts a server and a publisher in front of it; resolves once the stream can be seen.
 *
 * @param {keyof typeof ways} way
 * @returns {Promise<Published>}
 */
export async function publishBy(way) {
  const published = await ways[way]();
  await live(published.address);
  return published;
}

/** A server that takes publishers, on ports of its own. */
async function open() {
  const server = await serve(["--origin", "*", "--rtmp", "127.0.0.1:0", "--webrtc", "127.0.0.1:0"]);
  const rtmp = server.lines.map((line) => /msg="rtmp listening" addr=(\S+)/.exec(line)?.[1]).find(Boolean);
  return { ...server, rtmp };
}

/** The clock through ffmpeg, which sends what the clock has encoded. */
async function byFFmpeg(output) {
  const server = await open();
  const clock = spawn(program("benchclock"), [], { stdio: ["ignore", "pipe", "inherit"] });
  const input = ["-fflags", "nobuffer", "-probesize", "2000", "-analyzeduration", "0", "-f", "mp4", "-i", "pipe:0"];
  const arguments_ = ["-v", "error", ...input, "-c", "copy", "-flush_packets", "1", ...output(server)];
  const ffmpeg = spawn("ffmpeg", arguments_, { stdio: [clock.stdout, "ignore", "inherit"] });
  clock.stdout.destroy(); // ffmpeg has it
  return {
    address: server.address,
    stop: async () => {
      for (const child of [clock, ffmpeg]) {
        const gone = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
        child.kill("SIGTERM");
        await gone;
      }
      await server.stop();
    },
  };
}

/** The clock as the camera of another browser than the one that watches. */
async function byBrowser(publish) {
  const server = await open();
  const browser = await startBrowser({ loopback: true });
  // The camera's worker comes from no address, which the pages do not allow.
  const page = await browser.newPage({ bypassCSP: true });
  await page.addInitScript({ path: join(root, "frontend", "bench", "camera.js") });
  // Cameras and encoders are for secure pages: those of this machine count as such.
  await publish(page, `http://${server.address.replace("127.0.0.1", "localhost")}`);
  return {
    address: server.address,
    page,
    stop: async () => {
      await browser.close();
      await server.stop();
    },
  };
}

async function goLiveInStudio(page, origin) {
  await page.goto(`${origin}/studio?stream=${stream}`);
  await page.selectOption("#height", "360");
  await page.locator("#use-camera").dispatchEvent("click");
  await page.waitForFunction(() => document.querySelector("#picture").videoHeight === 360);
  await page.click("#go");
  await page.waitForFunction(() => document.querySelector("#badge").textContent === "LIVE");
}

async function sendByWHIP(page, origin) {
  await page.goto(`${origin}/studio`); // any page of the server's
  await page.evaluate(async (url) => {
    const media = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
    const connection = new RTCPeerConnection();
    window.benchConnection = connection; // to keep it
    for (const track of media.getTracks()) {
      const transceiver = connection.addTransceiver(track, { direction: "sendonly", streams: [media] });
      if (track.kind !== "video") continue;
      const { codecs } = RTCRtpSender.getCapabilities("video");
      transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === "video/H264"));
    }
    await connection.setLocalDescription();
    await new Promise((resolve) => {
      const check = () => connection.iceGatheringState === "complete" && resolve();
      connection.onicegatheringstatechange = check;
      check();
    });
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: connection.localDescription.sdp,
    });
    if (!response.ok) throw new Error(`WHIP: ${response.status} ${await response.text()}`);
    await connection.setRemoteDescription({ type: "answer", sdp: await response.text() });
  }, `${origin}/whip/${stream}`);
}
