import type { FramewireError, GapInfo, Notice, PlayerStatus, Recovery, Stats, StreamInfo } from "../dist/index.js";

/**
 * An attribute that is there or not. React before 19 writes true and false as
 * text, of which both mean that it is there: "" and undefined serve everywhere.
 */
type Flag = boolean | "" | undefined;

/** What `<framewire-video>` takes. */
export interface VideoAttributes {
  /** `wss://host/ws?stream=NAME`; http(s), a path, or an origin alone are understood, too. */
  src?: string | undefined;
  /** Name of the stream; overrides `?stream=` of src. */
  stream?: string | undefined;
  /** Access token. */
  token?: string | undefined;
  /** Play at once. */
  autoplay?: Flag;
  /** Start without sound. */
  muted?: Flag;
  /** Wanted capture-to-display latency in milliseconds. */
  latency?: "auto" | number | `${number}` | undefined;
  /** Address of a picture that is shown before the first frame. */
  poster?: string | undefined;
  disablepictureinpicture?: Flag;
  controlslist?: string | undefined;
  crossorigin?: "" | "anonymous" | "use-credentials" | undefined;
  /** Keep connection and MSE on the page's thread. */
  "no-worker"?: Flag;
}

/** What `<framewire-player>` takes. */
export interface PlayerAttributes extends VideoAttributes {
  /** "false" hides the controls. */
  controls?: "" | "true" | "false" | undefined;
  nocontrols?: Flag;
  /** Shown at the top. */
  "title-text"?: string | undefined;
  // Not stats: frameworks would set the property of that name, which cannot be set. toggleAttribute opens the overlay.
}

type Listener<Detail> = ((event: CustomEvent<Detail>) => void) | undefined;

/** Listeners for the elements' own events, as React 19 takes them. */
export interface PlayerListeners {
  onstatuschange?: Listener<PlayerStatus>;
  onstatschange?: Listener<Stats>;
  onrecovery?: Listener<Recovery>;
  ongap?: Listener<GapInfo>;
  onnotice?: Listener<Notice>;
  onstreamschange?: Listener<readonly StreamInfo[]>;
  oncommanderror?: Listener<FramewireError>;
  ontrackschange?: ((event: Event) => void) | undefined;
}
