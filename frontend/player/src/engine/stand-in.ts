import type { Fragment, Track } from "../client/types.ts";
import type { Seconds } from "../units.ts";
import { Filler } from "./filler.ts";
import type { Kept } from "./replay.ts";
import { Slides } from "./slides.ts";
import { type Kind, sameBytes } from "./track.ts";

/** What of a stream the server sends. */
export interface Sent {
  /** Whether it sends sound, and every picture. */
  readonly sound: boolean;
  readonly picture: boolean;
}

/** What there is to be done about what is not sent. */
export interface StandInEvents {
  append(kind: "audio", silence: Uint8Array<ArrayBuffer>): void;
  show(picture: Kept): void;
  /** Sound that is to be heard begins at this time of the timeline. */
  soundFrom(time: Seconds): void;
}

/**
 * Stands in for what the server does not send of the tracks that play, since a
 * declared track without media blocks playback: silence goes with the pictures
 * where there is no sound, and the last keyframe with the sound where there are
 * no pictures.
 */
export class StandIn {
  readonly #events: StandInEvents;
  readonly #slides = new Slides();
  #filler: Filler | undefined;
  #sent: Sent = { sound: true, picture: true };
  /** The track of sound holds silence, up to the first sound that comes. */
  #filling = false;
  /** Where pictures end, those that stand included. */
  #pictureEnd: Seconds | undefined;
  #pictureInit: Uint8Array | undefined;
  #hasSound = false;
  #hasPicture = false;

  constructor(events: StandInEvents) {
    this.#events = events;
  }

  /** What is sent from now on. */
  set sent(sent: Sent) {
    this.#sent = sent;
    const filled = this.#filling;
    this.#filling = this.#hasSound && (!sent.sound || filled);
    if (this.#filling && !filled) this.#events.soundFrom(Number.POSITIVE_INFINITY);
  }

  /** The tracks that play from now on. */
  set tracks(playing: ReadonlyMap<Kind, Track>) {
    const [video, audio] = [playing.get("video"), playing.get("audio")];
    this.#hasSound = audio !== undefined;
    this.#hasPicture = video !== undefined;
    // Where sound is not sent, nothing would give another one its pattern.
    if (audio?.timescale !== this.#filler?.timescale) this.#filler = audio && new Filler(audio.timescale);
    if (!video || (this.#pictureInit && sameBytes(video.initSegment, this.#pictureInit))) return;
    this.#pictureInit = video.initSegment;
    this.#slides.clear();
  }

  /** Another MediaSource is made, and nothing stands in it. */
  renew(): void {
    this.#filling = this.#hasSound = this.#hasPicture = false;
  }

  /** What comes next is of another timeline. */
  newTimeline(): void {
    this.#slides.clear();
    this.#pictureEnd = undefined;
  }

  /** A picture came, whether or not it is going to be appended. Returns how much is missing before it. */
  pictureCame({ start, end }: Kept): Seconds {
    const missing = this.#pictureEnd === undefined ? 0 : start - this.#pictureEnd;
    this.#pictureEnd = end;
    return missing;
  }

  /** A fragment of a track that plays is about to be appended. */
  lead(fragment: Fragment, { kind, start }: Kept, { timescale }: Track): void {
    const { payload, keyframe, decodeTimeTicks, durationTicks, compositionOffsetTicks } = fragment;
    if (kind === "video") {
      if (keyframe) this.#slides.saw(payload, timescale, compositionOffsetTicks);
      return;
    }
    this.#silence(start);
    this.#filler?.saw(payload, decodeTimeTicks, durationTicks);
    if (this.#filling && this.#sent.sound) {
      this.#filling = false;
      this.#events.soundFrom(start);
    }
  }

  /** A fragment was appended: what is missing beside it follows. */
  follow(fragment: Kept): void {
    if (fragment.kind === "video") this.#silence(fragment.end);
    else if (!this.#sent.picture) this.#stand(fragment);
  }

  /** Puts silence where no sound is sent, up to end. */
  #silence(end: Seconds): void {
    if (!this.#filling) return;
    for (const silence of this.#filler?.fill(end) ?? []) this.#events.append("audio", silence);
  }

  /** Has the last keyframe stand until sound that has come ends. */
  #stand({ end, captured }: Kept): void {
    const from = this.#pictureEnd;
    if (from === undefined || from >= end || !this.#hasPicture) return;
    const slide = this.#slides.from(from, end);
    if (!slide) return;
    this.#pictureEnd = slide.end;
    this.#events.show({ kind: "video", keyframe: true, captured, ...slide });
  }
}
