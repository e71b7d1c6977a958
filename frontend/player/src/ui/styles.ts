/** Style of the player; every colour and size that may be wanted otherwise is a custom property. */
export const styles = /* css */ `
:host {
  --accent: var(--framewire-accent, #5b8cff);
  --live: var(--framewire-live, #ff4757);
  --text: var(--framewire-text, #fff);
  --glass: var(--framewire-controls-background, rgb(15 17 21 / .72));
  --radius: var(--framewire-radius, 12px);
  --font: var(--framewire-font, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
  display: block; position: relative; aspect-ratio: 16 / 9; overflow: hidden;
  border-radius: var(--radius); background: var(--framewire-background, #000);
  color: var(--text); font: 14px/1.4 var(--font); container-type: inline-size;
  color-scheme: dark; -webkit-tap-highlight-color: transparent;
}
:host([hidden]) { display: none; }
:host(:fullscreen) { border-radius: 0; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }

media-controller {
  display: block; position: absolute; inset: 0; width: 100%; height: 100%; background: transparent;
  --media-control-background: transparent;
  --media-control-hover-background: rgb(255 255 255 / .14);
  --media-primary-color: var(--text);
  --media-text-color: var(--text);
  --media-font-family: var(--font);
  --media-control-height: 24px;
  --media-control-padding: 8px;
  --media-tooltip-background-color: rgb(15 17 21 / .92);
  --media-range-track-background: rgb(255 255 255 / .28);
  --media-range-bar-color: var(--accent);
  --media-range-thumb-background: #fff;
  --media-range-track-border-radius: 3px;
  --media-range-track-height: 4px;
  --media-live-button-indicator-color: var(--live);
  --media-live-button-icon-color: #9aa2b1;
  --media-focus-box-shadow: 0 0 0 2px rgb(15 17 21 / .9), 0 0 0 4px var(--accent);
  --media-webkit-text-track-transform: none;
}
media-controller:not(:defined) > :not(framewire-video) { display: none; }
media-controller:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
framewire-video { width: 100%; height: 100%; background: transparent; }

.top, .bottom { line-height: 1.4; }
.bottom {
  width: 100%; padding: 28px 10px 8px; display: grid; gap: 2px;
  background: linear-gradient(transparent, rgb(0 0 0 / .38) 45%, rgb(0 0 0 / .62));
}
.bar { display: flex; align-items: center; gap: 2px; width: 100%; }
.bar > * { flex: none; border-radius: 8px; }
.grow { flex: 1 1 auto; }
media-time-range { width: 100%; height: 18px; padding: 0 8px; border-radius: 6px; }
media-volume-range { width: 76px; padding: 0 8px 0 0; }
.sound { display: flex; align-items: center; border-radius: 8px; }
.sound > * { border-radius: 8px; }
.sound:not(:hover, :focus-within) media-volume-range { width: 0; padding: 0; opacity: 0; overflow: hidden; }
media-live-button { font-weight: 650; font-size: 12px; }
.behind { color: #dfe3ea; font-size: 13px; font-variant-numeric: tabular-nums; padding: 0 6px; }

:is(.icon, .button, .pill, .play) { border: 0; cursor: pointer; }
.icon {
  display: inline-grid; place-items: center; width: 40px; height: 40px; padding: 0; border-radius: 8px;
  color: inherit; background: transparent;
}
.icon:hover { background: rgb(255 255 255 / .14); }
:is(.icon, .pill) svg { width: 22px; height: 22px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
:is(.icon, .button, .pill, .play, .toast button, .panel button):focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

.top {
  width: 100%; padding: 12px 14px 28px; display: flex; gap: 10px; align-items: center;
  background: linear-gradient(rgb(0 0 0 / .5), transparent); pointer-events: none;
}
.top ::slotted(*) { pointer-events: auto; }
.title { font-weight: 600; font-size: 15px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.top:not([data-filled]) { display: none; }

.layer { position: absolute; inset: 0; display: grid; place-items: center; pointer-events: none; padding: 16px; }
.layer > * { pointer-events: auto; }
.message { display: grid; justify-items: center; gap: 6px; max-width: 36ch; text-align: center; pointer-events: none; }
.message[data-card] {
  padding: 20px 24px; border-radius: 14px; background: var(--glass); backdrop-filter: blur(14px);
  border: 1px solid rgb(255 255 255 / .09); box-shadow: 0 10px 40px rgb(0 0 0 / .35);
}
.message-title { font-size: 17px; font-weight: 650; font-variant-numeric: tabular-nums; }
.message-text { color: #cdd3de; }
.elsewhere { display: grid; gap: 8px; margin: 6px 0 0; }
.elsewhere a { color: inherit; text-underline-offset: 3px; pointer-events: auto; }
.ring {
  width: 38px; height: 38px; border-radius: 50%; border: 3px solid rgb(255 255 255 / .2); border-top-color: #fff;
  animation: turn .9s linear infinite; margin-bottom: 4px;
}
@keyframes turn { to { transform: rotate(1turn); } }
.button {
  margin-top: 8px; padding: 8px 16px; font: 600 14px var(--font); color: #0b1020; background: #fff;
  border-radius: 999px; pointer-events: auto;
}
.button:hover { background: #e6ebf5; }
.play {
  display: grid; place-items: center; width: 76px; height: 76px; padding: 0 0 0 5px; border-radius: 50%; color: #fff;
  background: var(--glass); backdrop-filter: blur(14px);
}
.play:hover { background: var(--accent); }
.play svg { width: 34px; height: 34px; fill: currentColor; }
.pill {
  position: absolute; top: 14px; left: 50%; transform: translateX(-50%); display: flex; align-items: center; gap: 8px;
  padding: 9px 16px 9px 12px; font: 600 14px var(--font); color: #0b1020; background: #fff; border-radius: 999px;
  box-shadow: 0 6px 24px rgb(0 0 0 / .35); white-space: nowrap;
}
:host([stats]) .pill { left: auto; right: 12px; transform: none; }
.toasts { position: absolute; left: 14px; bottom: 76px; display: grid; gap: 8px; max-width: min(420px, calc(100% - 28px)); justify-items: start; pointer-events: none; }
.toast {
  display: flex; gap: 10px; align-items: start; padding: 10px 12px; border-radius: 10px; background: var(--glass);
  backdrop-filter: blur(14px); border: 1px solid rgb(255 255 255 / .09); pointer-events: auto; overflow-wrap: anywhere;
}
:is(.toast, .panel header) button { all: unset; cursor: pointer; padding: 0 6px; border-radius: 6px; font-size: 16px; line-height: 1.25; color: #cdd3de; }

.panel {
  position: absolute; top: 12px; left: 12px; width: min(340px, calc(100% - 24px)); max-height: calc(100% - 84px); overflow: auto;
  padding: 12px 14px; border-radius: 12px; background: rgb(12 14 18 / .82); backdrop-filter: blur(14px);
  border: 1px solid rgb(255 255 255 / .09); font-size: 12px; line-height: 1.5;
}
.panel header { display: flex; justify-content: space-between; align-items: center; font-weight: 650; font-size: 13px; }
.panel canvas { display: block; width: 100%; height: 56px; margin: 6px 0 8px; border-radius: 6px; background: rgb(255 255 255 / .05); }
.panel dl { display: grid; grid-template-columns: max-content 1fr; gap: 1px 14px; margin: 0; }
.panel dt { color: #a9b1bf; }
.panel dd { margin: 0; font-variant-numeric: tabular-nums; text-align: right; overflow-wrap: anywhere; }
.panel dd[data-big] { font-size: 15px; font-weight: 650; }
.panel ul { margin: 8px 0 0; padding: 0; list-style: none; color: #cdd3de; }
.keys { position: absolute; inset: 0; margin: auto; width: min(340px, calc(100% - 24px)); height: fit-content; max-height: calc(100% - 24px); overflow: auto; padding: 16px 18px; }
.keys kbd { font: 600 12px var(--font); padding: 1px 7px; border-radius: 5px; background: rgb(255 255 255 / .14); }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

@container (max-width: 480px) {
  media-volume-range, .wide { display: none; }
  .bottom { padding: 20px 4px 4px; }
  .play { width: 62px; height: 62px; }
  .panel { font-size: 11px; max-height: calc(100% - 68px); }
  .panel canvas { height: 28px; margin: 2px 0 4px; }
  .message[data-card] { padding: 14px 16px; }
  .message-title { font-size: 15px; }
}
@container (max-width: 560px) {
  :host([stats]) .pill { padding: 10px; }
  :host([stats]) .pill span { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .pill:not([hidden]) ~ .panel[part="stats"] { width: min(340px, calc(100% - 76px)); }
}
@container (max-width: 300px) { .bar .optional { display: none; } }
@media (prefers-reduced-motion: reduce) {
  .ring { animation: none; border-style: dotted; border-color: #fff; }
  .play, media-volume-range { transition: none; }
  .play:hover { transform: none; }
}
@media (prefers-contrast: more) { :host { --glass: rgb(0 0 0 / .94); } .panel { background: rgb(0 0 0 / .94); } }
`;
