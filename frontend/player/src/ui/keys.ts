import type { FramewireVideoElement } from "../element/video.ts";

/** What keys can ask of the player, beside what the media element does itself. */
export interface KeyActions {
  toggleFullscreen(): void;
  togglePictureInPicture(): void;
  toggleStats(): void;
  toggleHelp(): void;
  close(): boolean;
}

const seekStep = 5;
const volumeStep = 0.05;

/** Does what a key asks for, as on video sites; false if it asks for nothing. */
export function pressKey(event: KeyboardEvent, video: FramewireVideoElement, actions: KeyActions): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || isTaken(event)) return false;
  switch (event.key.toLowerCase()) {
    case " ":
    case "k":
      if (video.paused)
        void video.play().catch(() => {}); // the status tells why not
      else video.pause();
      return true;
    case "m":
      video.muted = !video.muted;
      return true;
    case "f":
      actions.toggleFullscreen();
      return true;
    case "p":
      actions.togglePictureInPicture();
      return true;
    case "i":
      actions.toggleStats();
      return true;
    case "?":
      actions.toggleHelp();
      return true;
    case "escape":
      return actions.close();
    case "l":
      if (video.seekable.length > 0) video.currentTime = video.seekable.end(0);
      return true;
    case "arrowleft":
      video.currentTime -= seekStep;
      return true;
    case "arrowright":
      video.currentTime += seekStep;
      return true;
    case "arrowup":
      setVolume(video, video.volume + volumeStep);
      return true;
    case "arrowdown":
      setVolume(video, video.volume - volumeStep);
      return true;
    default:
      return false;
  }
}

function setVolume(video: FramewireVideoElement, volume: number): void {
  video.volume = Math.round(Math.min(1, Math.max(0, volume)) * 100) / 100;
}

/** Keys belong to what has the focus if it has a use for them: text fields, sliders, and buttons for space. */
function isTaken(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || /^(input|textarea|select)$/.test(target.localName)) return true;
  const button = target.localName === "button" || /-button$/.test(target.localName);
  return button && (event.key === " " || event.key === "Enter");
}
