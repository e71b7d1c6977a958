// The page /studio: goes live from this browser.

import type { Ack, PublishState } from "@framewire/player/publish";
import { snippet } from "../../lib/copy.ts";
import { byId, h, icon, setText } from "../../lib/dom.ts";
import { DEFAULT_OPTIONS } from "../../lib/embed-options.ts";
import { formatBitrate, formatCodec } from "../../lib/format.ts";
import { setUpPlayer } from "../../lib/player.ts";
import { parseStreamName, type StreamName, socketUrl, watchPath } from "../../lib/stream-name.ts";
import {
  CaptureError,
  type Choice,
  isAllowed,
  listDevices,
  openMicrophone,
  openPicture,
  whatIsMissing,
} from "./capture.ts";
import { Live } from "./live.ts";
import type { FromWorker, Stats } from "./messages.ts";
import { Mixer } from "./mixer.ts";
import { verdictOf } from "./words.ts";

const picture = byId("picture", HTMLVideoElement);
const form = byId("form", HTMLFormElement);
const camera = byId("camera", HTMLSelectElement);
const microphone = byId("microphone", HTMLSelectElement);
const height = byId("height", HTMLSelectElement);
const streamField = byId("stream", HTMLInputElement);
const keyField = byId("key", HTMLInputElement);
const go = byId("go", HTMLButtonElement);
const mute = byId("mute", HTMLButtonElement);
const monitor = byId("monitor", HTMLButtonElement);

/** Where the name of the last stream and the devices are kept. */
const REMEMBERED = "framewire-studio";
const METER_MS = 50;
const NO_MICROPHONE = "none";

let mixer: Mixer | undefined;
let pictureStream: MediaStream | undefined;
let microphoneStream: MediaStream | undefined;
let sound: MediaStreamTrack | undefined;
let live: Live | undefined;
let state: PublishState | undefined;
let liveSince = 0;
/** Grows with every request for devices; of several, the last one counts. */
let request = 0;

begin();

function begin(): void {
  byId("use-camera", HTMLButtonElement).append(icon("camera"), "Use the camera");
  byId("use-screen", HTMLButtonElement).append(icon("open"), "Share a screen");
  const missing = whatIsMissing();
  if (missing) {
    show("missing", missing);
    byId("empty", HTMLDivElement).hidden = true;
    for (const field of form.elements) if ("disabled" in field) field.disabled = true;
    return;
  }
  recall();
  byId("use-camera", HTMLButtonElement).addEventListener("click", () => choose("camera"));
  byId("use-screen", HTMLButtonElement).addEventListener("click", () => choose("screen"));
  for (const radio of form.querySelectorAll<HTMLInputElement>("input[name=source]")) {
    radio.addEventListener("change", () => void turnOn());
  }
  for (const select of [camera, height]) select.addEventListener("change", () => pictureStream && void turnOn());
  microphone.addEventListener("change", () => pictureStream && void turnOn({ keepPicture: true }));
  navigator.mediaDevices.addEventListener("devicechange", () => void showDevices());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (live) live.stop();
    else void goLive();
  });
  mute.addEventListener("click", () => setMuted(mute.getAttribute("aria-pressed") !== "true"));
  monitor.addEventListener("click", () => setMonitor(monitor.getAttribute("aria-pressed") !== "true"));
  // Leaving the page ends the stream; that may be a slip.
  addEventListener("beforeunload", (event) => {
    if (live) event.preventDefault();
  });
  setInterval(showLevel, METER_MS);
  void showDevices();
  void isAllowed().then((allowed) => allowed && !pictureStream && turnOn());
}

/** What the controls say. */
function choice(): Choice {
  const source = new FormData(form).get("source") === "screen" ? "screen" : "camera";
  return { source, camera: camera.value, microphone: microphone.value, height: Number(height.value) };
}

function choose(source: "camera" | "screen"): void {
  const radio = form.querySelector<HTMLInputElement>(`input[name=source][value=${source}]`);
  if (radio) radio.checked = true;
  void turnOn();
}

/** Opens what is chosen, and shows it. It returns whether there is a picture. */
async function turnOn({ keepPicture = false } = {}): Promise<boolean> {
  const mine = ++request;
  const wanted = choice();
  byId("camera-field", HTMLLabelElement).hidden = wanted.source === "screen";
  const problems: string[] = [];
  const ask = async (open: () => Promise<MediaStream>) => {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  // A device that another stream holds at another size would be had at that one.
  if (!keepPicture && wanted.source === "camera") stopTracks(pictureStream);
  const newPicture = keepPicture ? pictureStream : await ask(() => openPicture(wanted));
  const newMicrophone = wanted.microphone === NO_MICROPHONE ? undefined : await ask(() => openMicrophone(wanted));
  if (mine !== request) {
    if (!keepPicture) stopTracks(newPicture);
    stopTracks(newMicrophone);
    return false;
  }
  if (!keepPicture && newPicture) usePicture(newPicture);
  stopTracks(microphoneStream);
  microphoneStream = newMicrophone;
  useSound();
  show("notice", problems.join(" "));
  await showDevices();
  remember();
  return pictureStream !== undefined;
}

function usePicture(stream: MediaStream): void {
  if (pictureStream !== stream) stopTracks(pictureStream);
  pictureStream = stream;
  picture.srcObject = new MediaStream(stream.getVideoTracks());
  byId("empty", HTMLDivElement).hidden = true;
  const [track] = stream.getVideoTracks();
  const isScreen = choice().source === "screen";
  byId("preview", HTMLDivElement).toggleAttribute("data-mirror", !isScreen);
  if (!track) return;
  // Text and lines over motion.
  if (isScreen) track.contentHint = "detail";
  track.addEventListener("ended", () => {
    if (pictureStream !== stream) return;
    show("notice", isScreen ? "The screen is not shared any more." : "The camera went away.");
    byId("empty", HTMLDivElement).hidden = false;
  });
  live?.setVideo(track);
}

/** Brings microphone and sound of the screen together. */
function useSound(): void {
  mixer ??= new Mixer();
  const tracks = [...(microphoneStream?.getAudioTracks() ?? []), ...(pictureStream?.getAudioTracks() ?? [])];
  sound = mixer.set(tracks);
  setMuted(mute.getAttribute("aria-pressed") === "true");
  if (sound) void live?.setAudio(sound);
}

function setMuted(muted: boolean): void {
  for (const track of microphoneStream?.getAudioTracks() ?? []) track.enabled = !muted;
  mute.setAttribute("aria-pressed", String(muted));
  setText(mute, muted ? "Muted" : "Mute");
}

async function goLive(): Promise<void> {
  const stream = parseStreamName(streamField.value.trim());
  streamField.setAttribute("aria-invalid", String(stream === undefined));
  if (stream === undefined) {
    show("notice", "Give the stream a name of letters, digits and . _ ~ - with / between parts.");
    streamField.focus();
    return;
  }
  if (!pictureStream && !(await turnOn())) return;
  const [video] = pictureStream?.getVideoTracks() ?? [];
  if (!video || live || !mixer) return;
  show("notice", "");
  state = undefined;
  liveSince = 0;
  live = new Live(
    { url: socketUrl(location.origin), stream, key: keyField.value, video, audio: sound, context: mixer.context },
    (message) => hear(message, stream),
  );
  showState({ phase: "connecting", attempt: 1 });
  remember();
}

function hear(message: FromWorker, stream: StreamName): void {
  switch (message.type) {
    case "state":
      if (message.state.phase === "live") showShare(stream);
      showState(message.state);
      if (message.state.phase === "ended") live?.stop();
      return;
    case "ack":
      return showAck(message.ack);
    case "stats":
      return showStats(message);
    case "failed":
      show("notice", message.message);
      live?.stop();
      return;
    case "stopped":
      live = undefined;
      setMonitor(false);
      byId("figures", HTMLDListElement).hidden = true;
      byId("share", HTMLDivElement).hidden = true;
      if (state?.phase !== "ended") showState(undefined);
      showForm();
      if (state?.phase === "ended" && state.reason === "bad_key") keyField.focus();
      return;
    default:
      message satisfies never;
  }
}

function showState(next: PublishState | undefined): void {
  state = next;
  const { tone, badge, text } = verdictOf(next);
  const element = byId("badge", HTMLSpanElement);
  element.setAttribute("data-status", tone);
  setText(element, badge);
  if (text || next?.phase === "live") show("notice", text);
  if (next?.phase === "live" && !liveSince) liveSince = performance.now();
  showForm();
}

/** What can be changed while live, and what not. */
function showForm(): void {
  const running = live !== undefined;
  setText(go, running ? "Stop" : "Go live");
  go.setAttribute("data-kind", running ? "stop" : "primary");
  streamField.disabled = keyField.disabled = running;
}

function showAck(ack: Ack): void {
  byId("figures", HTMLDListElement).hidden = false;
  setText(byId("viewers", HTMLElement), ack.viewers.toLocaleString("en"));
  setText(byId("latency", HTMLElement), ack.viewerLatencyMs > 0 ? `${Math.round(ack.viewerLatencyMs)} ms` : "–");
  setText(byId("delay", HTMLElement), `${Math.round(ack.delayMs)} ms`);
}

function showStats({ bitrate, target, frameRate, width, height: lines, codec, dropped }: Stats): void {
  const held = target < 0.9 * bitrate ? ` of ${formatBitrate(target)}` : "";
  const figure = byId("bitrate", HTMLElement);
  setText(figure, (formatBitrate(bitrate) || "–") + held);
  figure.dataset.target = String(target);
  const facts = [`${width}×${lines}`, `${Math.round(frameRate)} fps`, formatCodec(codec)];
  if (dropped > 0) facts.push(`${dropped} left out`);
  setText(byId("format", HTMLElement), codec ? facts.join(" · ") : "–");
  if (!liveSince) return;
  const seconds = Math.floor((performance.now() - liveSince) / 1000);
  setText(byId("time", HTMLElement), `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
}

function showLevel(): void {
  const percent = Math.round(100 * (sound ? (mixer?.level ?? 0) : 0));
  byId("level-bar", HTMLSpanElement).style.setProperty("inline-size", `${percent}%`);
  byId("level", HTMLDivElement).setAttribute("aria-valuenow", String(percent));
}

function showShare(stream: StreamName): void {
  const share = byId("share", HTMLDivElement);
  if (!share.hidden) return;
  share.hidden = false;
  const url = new URL(watchPath(stream), location.origin).href;
  byId("watch", HTMLAnchorElement).href = url;
  byId("share-link", HTMLDivElement).replaceChildren(snippet(url, "the address of the stream").element);
}

/** Plays the stream here as viewers see it: muted, so that it does not come back through the microphone. */
function setMonitor(on: boolean): void {
  monitor.setAttribute("aria-pressed", String(on));
  const stage = byId("monitor-stage", HTMLDivElement);
  stage.hidden = !on;
  stage.replaceChildren();
  const stream = parseStreamName(streamField.value.trim());
  if (!on || stream === undefined) return;
  if (!document.querySelector("script[src='/player.js']")) {
    document.head.append(h("script", { type: "module", src: "/player.js" }));
  }
  const player = h("framewire-player" as "div");
  stage.append(player);
  setUpPlayer(player, stream, { ...DEFAULT_OPTIONS, muted: true });
}

async function showDevices(): Promise<void> {
  const { cameras, microphones } = await listDevices();
  fill(camera, cameras, "Camera");
  fill(microphone, microphones, "Microphone", h("option", { value: NO_MICROPHONE }, "No sound"));
}

function fill(
  select: HTMLSelectElement,
  devices: readonly MediaDeviceInfo[],
  word: string,
  last?: HTMLOptionElement,
): void {
  const chosen = select.value || (select.dataset.wanted ?? "");
  const named = devices.filter(({ deviceId }) => deviceId !== "");
  const options = named.map(({ deviceId, label }, i) => h("option", { value: deviceId }, label || `${word} ${i + 1}`));
  select.replaceChildren(...(options.length > 0 ? options : [h("option", { value: "" }, `The browser's choice`)]));
  if (last) select.append(last);
  if ([...select.options].some(({ value }) => value === chosen)) select.value = chosen;
}

function stopTracks(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function show(id: "missing" | "notice", text: string): void {
  const element = byId(id, HTMLParagraphElement);
  element.hidden = text === "";
  setText(element, text);
}

interface Remembered {
  readonly stream?: string;
  readonly camera?: string;
  readonly microphone?: string;
  readonly height?: string;
}

function remember(): void {
  const { camera, microphone } = choice();
  const value: Remembered = { stream: streamField.value.trim(), camera, microphone, height: height.value };
  try {
    localStorage.setItem(REMEMBERED, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing: the page works all the same.
  }
}

function recall(): void {
  let value: Remembered = {};
  try {
    value = JSON.parse(localStorage.getItem(REMEMBERED) ?? "{}") as Remembered;
  } catch {
    // As if there were nothing.
  }
  const asked = new URLSearchParams(location.search).get("stream") ?? "";
  streamField.value = parseStreamName(asked) ?? parseStreamName(value.stream ?? "") ?? "studio";
  camera.dataset.wanted = value.camera ?? "";
  microphone.dataset.wanted = value.microphone ?? "";
  if (value.height) height.value = value.height;
  if (!height.value) height.value = "720";
}
