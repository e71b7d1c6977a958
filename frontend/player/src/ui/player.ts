import type { PlainFormat } from "../client/url.ts";
import { BaseElement } from "../element/base.ts";
import type { FramewireVideoElement } from "../element/video.ts";
import type { Notice, PlayerStatus, Stats } from "../status.ts";
import type { Millis } from "../units.ts";
import { type Forwarded, forwardedAttributes, forwardedEvents, forwardTo } from "./forward.ts";
import { pressKey } from "./keys.ts";
import { codecName, type Message, messageOf } from "./messages.ts";
import { StatsPanel } from "./stats-panel.ts";
import { template } from "./template.ts";

/** A ring that is gone before it is seen only flickers. */
const messageDelay: Millis = 350;
/** The countdown to the next attempt. */
const countdown: Millis = 250;
const ownAttributes = ["title-text", "nocontrols", "controls", "stats"] as const;

/**
 * `<framewire-player>`: `<framewire-video>` with controls, messages and
 * statistics. Its elements ask; what they show is what the media element says.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: forwardTo gives the class what the interface says
export class FramewirePlayerElement extends BaseElement {
  static observedAttributes: readonly string[] = [...forwardedAttributes, ...ownAttributes];

  readonly #parts: Parts | undefined;
  #connected: AbortController | undefined;
  #messageTimer: ReturnType<typeof setTimeout> | undefined;
  #countdown: ReturnType<typeof setInterval> | undefined;
  #said = "";

  constructor() {
    super();
    if (typeof document === "undefined") return;
    // A page may hold the shadow tree from the beginning, with a picture in it already.
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open", delegatesFocus: true });
    if (!root.firstChild) root.innerHTML = template;
    customElements.upgrade(root);
    this.#parts = findParts(root);
    for (const type of forwardedEvents) {
      this.#parts.video.addEventListener(type, (event) => this.#refire(event));
    }
  }

  /** The media element inside. */
  get media(): FramewireVideoElement {
    if (!this.#parts) throw new DOMException("there is no document here", "NotSupportedError");
    return this.#parts.video;
  }

  connectedCallback(): void {
    const parts = this.#parts;
    if (!parts || this.#connected) return;
    this.#connected = new AbortController();
    const { signal } = this.#connected;
    const { video } = parts;
    const on = (target: EventTarget, type: string, listener: (event: Event) => void) =>
      target.addEventListener(type, listener, { signal });
    on(video, "statuschange", () => this.#status(video.status));
    on(video, "statschange", (event) => this.#stats((event as CustomEvent<Stats>).detail));
    on(video, "volumechange", () => this.#sound());
    on(video, "targetlivewindowchange", () => this.#window());
    on(video, "trackschange", () => this.#tracks());
    on(parts.play, "click", () => void video.play().catch(() => {})); // the status tells why not
    on(parts.unmute, "click", () => {
      video.muted = false;
      parts.controller.focus(); // the button vanishes
    });
    on(parts.statsButton, "click", () => this.toggleAttribute("stats"));
    on(parts.stats, "click", (event) => {
      if ((event.target as Element).closest("button")) this.toggleAttribute("stats", false);
    });
    on(parts.help, "click", (event) => {
      if ((event.target as Element).closest("button")) parts.help.hidden = true;
    });
    on(parts.action, "click", () => this.#act());
    on(this, "keydown", (event) => this.#key(event as KeyboardEvent));
    this.#status(video.status);
  }

  disconnectedCallback(): void {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#connected?.abort();
      this.#connected = undefined;
      clearTimeout(this.#messageTimer);
      clearInterval(this.#countdown);
    });
  }

  attributeChangedCallback(name: string, before: string | null, value: string | null): void {
    const parts = this.#parts;
    if (!parts || before === value) return;
    if ((forwardedAttributes as readonly string[]).includes(name)) {
      if (value === null) parts.video.removeAttribute(name);
      else parts.video.setAttribute(name, value);
    } else if (name === "title-text") {
      parts.title.textContent = value;
      parts.top.toggleAttribute("data-filled", value !== null);
    } else if (name === "stats") {
      parts.stats.hidden = value === null;
      parts.statsButton.setAttribute("aria-expanded", String(value !== null));
      if (value !== null && parts.video.stats) this.#stats(parts.video.stats);
    } else {
      const hidden = this.hasAttribute("nocontrols") || this.getAttribute("controls") === "false";
      parts.controls.hidden = hidden;
    }
  }

  /** Fires an event of the media element again; canceling one cancels the other. */
  #refire(event: Event): void {
    const detail = event instanceof CustomEvent ? { detail: event.detail as unknown } : {};
    const again =
      event instanceof CustomEvent
        ? new CustomEvent(event.type, { ...detail, cancelable: true })
        : new Event(event.type);
    const shown = this.dispatchEvent(again);
    if (event.type === "notice" && shown) this.#notice((event as CustomEvent<Notice>).detail);
  }

  #status(status: PlayerStatus): void {
    const parts = this.#parts;
    if (!parts) return;
    this.dataset.status = status.kind;
    parts.play.hidden = status.kind !== "blocked" && status.kind !== "idle";
    clearTimeout(this.#messageTimer);
    clearInterval(this.#countdown);
    const message = messageOf(status);
    const hasWords = message !== undefined && message.title !== "";
    if (!message) this.#show(undefined);
    else this.#messageTimer = setTimeout(() => this.#show(messageOf(parts.video.status)), messageDelay);
    if (status.kind === "reconnecting") {
      this.#countdown = setInterval(() => {
        if (!parts.message.hidden) this.#show(messageOf(parts.video.status));
      }, countdown);
    }
    if (hasWords) this.#say(`${message.title}. ${message.text}`);
    else if (status.kind === "playing") this.#say("Playing live");
    else if (status.kind === "paused") this.#say("Paused");
    else if (status.kind === "blocked") this.#say("Press play to start");
    this.#sound();
  }

  #show(message: Message | undefined): void {
    const parts = this.#parts;
    if (!parts) return;
    parts.message.hidden = message === undefined;
    if (!message) return;
    parts.ring.hidden = !message.busy;
    parts.messageTitle.textContent = message.title;
    parts.messageText.textContent = message.text;
    parts.message.toggleAttribute("data-card", message.title !== "");
    parts.action.hidden = message.action === undefined;
    parts.action.textContent = message.action?.label ?? "";
    this.#elsewhere(message.elsewhere);
  }

  /** Offers the stream in forms that every browser, or another program, plays. */
  #elsewhere(offered: boolean): void {
    const parts = this.#parts;
    if (!parts) return;
    const links = [...parts.elsewhere.querySelectorAll("a")];
    for (const link of links) link.href = offered ? parts.video.plainUrl(link.dataset.format as PlainFormat) : "";
    parts.elsewhere.hidden = !offered || links.some((link) => link.getAttribute("href") === "");
  }

  #act(): void {
    const { video } = this.#parts ?? {};
    const does = video && messageOf(video.status)?.action?.does;
    if (does === "play")
      void video?.play().catch(() => {}); // the status tells why not
    else if (does === "retry") video?.retry();
    else if (does === "reconnect") video?.reconnect();
  }

  #sound(): void {
    const parts = this.#parts;
    if (!parts) return;
    const { video } = parts;
    const was = parts.unmute.hidden;
    const autoplayMuted = video.autoplay && video.defaultMuted && video.muted && !this.#soundSeen;
    parts.unmute.hidden = !(video.mutedByBrowser || autoplayMuted) || video.status.kind !== "playing";
    if (!video.muted) this.#soundSeen = true;
    if (was && !parts.unmute.hidden) this.#say("Playing without sound. Press M to turn it on.");
  }
  #soundSeen = false;

  #window(): void {
    const parts = this.#parts;
    if (parts) parts.timeRange.hidden = !(parts.video.targetLiveWindow > 0);
  }

  /** Names tracks that cannot be decoded while the others play. */
  #tracks(): void {
    const { video } = this.#parts ?? {};
    for (const { kind, codec } of video?.undecodableTracks ?? []) {
      const what = kind === "video" ? "The picture" : "The sound";
      const rest = kind === "video" ? "sound" : "picture";
      const text = `${what} is ${codecName(codec)}, which this browser cannot decode. The ${rest} plays.`;
      if (video?.status.kind !== "failed") this.#notice({ text, duration: 10_000 });
    }
  }

  #stats(stats: Stats): void {
    const parts = this.#parts;
    if (!parts) return;
    parts.figures.update(stats, this.hasAttribute("stats"));
    const { video } = parts;
    const end = video.seekable.length > 0 ? video.seekable.end(0) : 0;
    const behind = video.isLive ? 0 : end - video.currentTime;
    parts.behind.hidden = behind < 1;
    if (behind >= 1) parts.behind.textContent = `−${Math.round(behind)} s`;
  }

  #notice({ text, duration }: Notice): void {
    const toast = document.createElement("div");
    toast.className = "toast";
    const words = document.createElement("span");
    words.textContent = text;
    const button = document.createElement("button");
    button.textContent = "✕";
    button.setAttribute("aria-label", "Close notice");
    button.addEventListener("click", () => toast.remove());
    toast.append(words, button);
    this.#parts?.toasts.append(toast);
    this.#say(text);
    if (duration > 0) setTimeout(() => toast.remove(), duration);
  }

  #say(text: string): void {
    if (this.#parts && text !== this.#said) this.#parts.said.textContent = this.#said = text;
  }

  #key(event: KeyboardEvent): void {
    const parts = this.#parts;
    if (!parts || event.defaultPrevented) return;
    const done = pressKey(event, parts.video, {
      toggleFullscreen: () => parts.controls.querySelector<HTMLElement>("media-fullscreen-button")?.click(),
      togglePictureInPicture: () => parts.controls.querySelector<HTMLElement>("media-pip-button")?.click(),
      toggleStats: () => this.toggleAttribute("stats"),
      toggleHelp: () => {
        parts.help.hidden = !parts.help.hidden;
        if (!parts.help.hidden) parts.help.querySelector("button")?.focus();
      },
      close: () => {
        const open = !parts.help.hidden || this.hasAttribute("stats");
        if (parts.help.hidden) this.toggleAttribute("stats", false);
        parts.help.hidden = true;
        return open;
      },
    });
    if (done) event.preventDefault();
  }
}

forwardTo(FramewirePlayerElement.prototype, (self) => (self as FramewirePlayerElement).media);

export interface FramewirePlayerElement extends Forwarded {}

interface Parts extends ReturnType<typeof findParts> {}

function findParts(root: ShadowRoot) {
  const find = <T extends Element>(selector: string): T => {
    const element = root.querySelector<T>(selector);
    if (!element) throw new Error(`the template has no ${selector}`);
    return element;
  };
  const stats = find<HTMLElement>("[part=stats]");
  return {
    video: find<FramewireVideoElement>("framewire-video"),
    controller: find<HTMLElement>("media-controller"),
    controls: find<HTMLElement>(".bottom"),
    timeRange: find<HTMLElement>("media-time-range"),
    top: find<HTMLElement>(".top"),
    title: find<HTMLElement>(".title"),
    behind: find<HTMLElement>(".behind"),
    message: find<HTMLElement>(".message"),
    ring: find<HTMLElement>(".ring"),
    messageTitle: find<HTMLElement>(".message-title"),
    messageText: find<HTMLElement>(".message-text"),
    action: find<HTMLElement>(".button"),
    elsewhere: find<HTMLElement>(".elsewhere"),
    play: find<HTMLElement>(".play"),
    unmute: find<HTMLElement>(".pill"),
    toasts: find<HTMLElement>(".toasts"),
    stats,
    figures: new StatsPanel(stats),
    statsButton: find<HTMLElement>("#stats-button"),
    help: find<HTMLElement>(".keys"),
    said: find<HTMLElement>(".said"),
  };
}
