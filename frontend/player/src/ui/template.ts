import { styles } from "./styles.ts";

const icon = (path: string) => `<svg viewBox="0 0 24 24" aria-hidden="true">${path}</svg>`;
const close = "✕";

const keys: readonly (readonly [string, string])[] = [
  ["Space or K", "Play, pause"],
  ["M", "Sound on, off"],
  ["↑ ↓", "Volume"],
  ["← →", "Five seconds back, on"],
  ["L", "To live"],
  ["F", "Full screen"],
  ["P", "Picture in picture"],
  ["I", "Statistics"],
  ["?", "This help"],
];

/** The player's shadow tree. */
export const template = /* html */ `
<style>${styles}</style>
<media-controller part="controller" nohotkeys noautoseektolive novolumepref nomutedpref nosubtitleslangpref defaultstreamtype="live" autohide="3" keyboardcontrol>
  <framewire-video slot="media" part="video"></framewire-video>
  <slot name="poster" slot="poster"></slot>
  <div slot="top-chrome" class="top" part="top">
    <slot name="top-start"></slot><span class="title" part="title"></span><span class="grow"></span><slot name="top-end"></slot>
  </div>
  <div slot="centered-chrome" class="layer" noautohide hidden></div>
  <div class="bottom" part="controls">
    <media-time-range part="time-range" hidden></media-time-range>
    <div class="bar">
      <slot name="controls-start"></slot>
      <media-play-button part="play"></media-play-button>
      <div class="sound">
        <media-mute-button part="mute"></media-mute-button>
        <media-volume-range part="volume"></media-volume-range>
      </div>
      <media-live-button part="live"></media-live-button>
      <span class="behind" hidden></span>
      <span class="grow"></span>
      <slot name="controls-end"></slot>
      <button type="button" class="icon optional" id="stats-button" part="stats-button" aria-label="Statistics" aria-expanded="false">
        ${icon('<path d="M4 20V10M10 20V4M16 20v-7M21 20H3"/>')}
      </button>
      <media-pip-button class="optional wide" part="pip"></media-pip-button>
      <media-fullscreen-button part="fullscreen"></media-fullscreen-button>
    </div>
  </div>
</media-controller>
<div class="layer">
  <div class="message" part="message" hidden>
    <div class="ring" aria-hidden="true"></div>
    <div class="message-title" part="message-title"></div>
    <div class="message-text" part="message-text"></div>
    <button type="button" class="button" part="message-action"></button>
    <p class="elsewhere" part="message-links" hidden>
      <a data-format="mjpeg" target="_blank" rel="noopener">Watch as pictures, without sound</a>
      <a data-format="mp4" target="_blank" rel="noopener">Plain video, for other players</a>
    </p>
  </div>
  <button type="button" class="play" part="play-overlay" aria-label="Play" hidden>${icon('<path d="M7 4.5v15l12-7.5z"/>')}</button>
</div>
<button type="button" class="pill" part="unmute" hidden>
  ${icon('<path d="M4 9v6h4l5 4V5L8 9zM17 9l5 6M22 9l-5 6"/>')}<span>Turn sound on</span>
</button>
<div class="toasts" part="notice"></div>
<section class="panel" part="stats" aria-label="Statistics" hidden>
  <header><span>Statistics</span><button type="button" aria-label="Close statistics">${close}</button></header>
  <canvas role="img" aria-label="Latency over the last minute"></canvas>
  <dl></dl><ul></ul>
</section>
<section class="panel keys" part="help" role="dialog" aria-label="Keyboard" hidden>
  <header><span>Keyboard</span><button type="button" aria-label="Close help">${close}</button></header>
  <dl>${keys.map(([key, what]) => `<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`).join("")}</dl>
</section>
<slot name="overlay"></slot>
<div class="said" role="status" aria-live="polite"></div>
`;
