// Camera, microphone and screen, as the browser gives them.

export type PictureSource = "camera" | "screen";

export interface Choice {
  readonly source: PictureSource;
  /** Empty: the browser's own choice. */
  readonly camera: string;
  /** Empty: the browser's own choice; "none": no sound. */
  readonly microphone: string;
  /** Wanted height of the picture. */
  readonly height: number;
}

/** A device or a screen could not be had. The message is for the visitor. */
export class CaptureError extends Error {
  override readonly name = "CaptureError";
}

/** Tells what this page cannot do here, in words for the visitor, or undefined. */
export function whatIsMissing(): string | undefined {
  if (!isSecureContext) {
    return "Browsers hand out cameras, microphones and screens only to pages that come over HTTPS or from this machine itself. Open this page by https:// or on localhost.";
  }
  if (!navigator.mediaDevices?.getUserMedia) return "This browser does not give pages a camera or microphone.";
  if (typeof VideoEncoder !== "function" || typeof AudioEncoder !== "function") {
    return "This browser cannot encode video for a live stream: it lacks WebCodecs. Chrome, Edge, Opera, Safari 26 and Firefox 130 on a computer have it. OBS publishes from any machine.";
  }
  return undefined;
}

const ASPECT = 16 / 9;
const FRAME_RATE = 30;

/** Asks for pictures. */
export async function openPicture(choice: Choice): Promise<MediaStream> {
  const size = {
    width: { ideal: Math.round(choice.height * ASPECT) },
    height: { ideal: choice.height },
    frameRate: { ideal: FRAME_RATE, max: 60 },
  };
  if (choice.source === "screen") {
    if (!navigator.mediaDevices.getDisplayMedia) throw new CaptureError("This browser does not share screens.");
    return told("screen", () => navigator.mediaDevices.getDisplayMedia({ video: size, audio: true }));
  }
  const device = choice.camera ? { deviceId: { exact: choice.camera } } : {};
  return told("camera", () => navigator.mediaDevices.getUserMedia({ video: { ...size, ...device } }));
}

/** Asks for a microphone. */
export async function openMicrophone(choice: Choice): Promise<MediaStream> {
  const device = choice.microphone ? { deviceId: { exact: choice.microphone } } : {};
  return told("microphone", () =>
    navigator.mediaDevices.getUserMedia({ audio: { ...device, channelCount: { ideal: 2 } } }),
  );
}

async function told(what: PictureSource | "microphone", open: () => Promise<MediaStream>): Promise<MediaStream> {
  try {
    return await open();
  } catch (error) {
    throw new CaptureError(explain(what, error instanceof DOMException ? error.name : ""), { cause: error });
  }
}

function explain(what: PictureSource | "microphone", name: string): string {
  switch (name) {
    case "NotAllowedError":
      return what === "screen"
        ? "The screen was not shared: nothing was chosen, or the system does not let the browser record it."
        : `This page may not use the ${what}. Allow it by the symbol in the address bar, and try again.`;
    case "NotFoundError":
      return `There is no ${what} here.`;
    case "NotReadableError":
      return `The ${what} cannot be used now. Another program may have it.`;
    case "OverconstrainedError":
      return `The ${what} that was chosen is not there any more. Choose another.`;
    default:
      return `The ${what} could not be started.`;
  }
}

export interface Devices {
  readonly cameras: readonly MediaDeviceInfo[];
  readonly microphones: readonly MediaDeviceInfo[];
}

/** Lists devices. Their names are empty before the visitor has allowed one. */
export async function listDevices(): Promise<Devices> {
  const all = await navigator.mediaDevices.enumerateDevices();
  return {
    cameras: all.filter(({ kind }) => kind === "videoinput"),
    microphones: all.filter(({ kind }) => kind === "audioinput"),
  };
}

/** Whether the visitor has allowed camera and microphone to this page before. */
export async function isAllowed(): Promise<boolean> {
  try {
    const names = ["camera", "microphone"] as PermissionName[];
    const states = await Promise.all(names.map((name) => navigator.permissions.query({ name })));
    return states.every(({ state }) => state === "granted");
  } catch {
    return false; // a browser that does not tell
  }
}
