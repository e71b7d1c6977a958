// From frames to the server: encoders, tracks, and a rate that the network bears.

import { type Ack, now, Publisher, type PublishTrack } from "@framewire/player/publish";
import type { FromWorker, StartMessage } from "./messages.ts";
import { bestBitrate, Lateness, RateControl } from "./rate.ts";
import { Sounds } from "./sound.ts";
import { Timeline } from "./timeline.ts";
import { type Coded, Pictures } from "./video.ts";

const VIDEO = 1;
const AUDIO = 2;
/** WebCodecs counts microseconds. */
const TIMESCALE = 1_000_000;
const LOOK_MS = 200;
/** Looks over which what is told is averaged: one second. */
const TOLD_LOOKS = 5;
/** How long the first track waits for the other to be known. */
const TRACKS_WAIT_MS = 1_000;

/** One stream on its way out, until stop. */
export class Broadcast {
  readonly #publisher: Publisher;
  readonly #pictures: Pictures;
  readonly #sounds: Sounds;
  readonly #tell: (message: FromWorker) => void;
  readonly #rate = new RateControl(bestBitrate(1280, 720, 30));
  readonly #lateness = new Lateness();
  readonly #timelines = { video: new Timeline(), audio: new Timeline() };
  readonly #expected: number;
  readonly #frameRate: number;
  /** The origin of all timestamps: they have to be integers of moderate size. */
  readonly #origin = now();
  readonly #begunAt = now();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #tracks = new Map<number, PublishTrack>();
  readonly #held: { readonly track: number; readonly coded: Coded }[] = [];
  #ack: Ack | undefined;
  #ackAt = 0;
  #announced = false;
  #bytes = 0;
  #frames = 0;
  #dropped = 0;
  readonly #looks = [{ at: now(), bytes: 0, frames: 0 }];

  constructor(start: StartMessage, tell: (message: FromWorker) => void) {
    this.#tell = tell;
    this.#expected = (start.video ? 1 : 0) + (start.audio ? 1 : 0);
    this.#frameRate = start.frameRate;
    const { url, stream, key } = start;
    this.#publisher = new Publisher(url, { stream, key, clientName: "framewire-studio" });
    this.#publisher.on("state", (state) => tell({ type: "state", state }));
    this.#publisher.on("keyframe", () => this.#pictures.requestKeyframe());
    this.#publisher.on("ack", (ack) => {
      this.#ack = ack;
      this.#ackAt = now();
      tell({ type: "ack", ack });
    });
    const failed = (message: string) => tell({ type: "failed", message });
    this.#pictures = new Pictures(start.frameRate, {
      coded: (coded, config) => {
        if (config) this.#setVideo(config);
        this.#send(VIDEO, coded);
      },
      failed,
    });
    this.#sounds = new Sounds({
      coded: (coded, config) => {
        if (config) this.#setAudio(config);
        this.#send(AUDIO, coded);
      },
      failed,
    });
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Takes a picture that has just come, and closes it. */
  picture(frame: VideoFrame): void {
    const moment = this.#timelines.video.map(frame.timestamp, now());
    if (this.#rate.stuck) {
      this.#dropped++;
      this.#pictures.requestKeyframe();
      frame.close();
      return;
    }
    this.#pictures.encode(frame, this.#toTimestamp(moment));
  }

  /** Takes sound that has just come, and closes it. */
  sound(data: AudioData): void {
    // It was captured when its last sample was heard.
    const length = (data.numberOfFrames / data.sampleRate) * 1000;
    const moment = this.#timelines.audio.map(data.timestamp, now() - length);
    this.#sounds.encode(data, this.#toTimestamp(moment));
  }

  /** Another device: its clock has nothing to do with that of the one before. */
  forget(kind: "video" | "audio"): void {
    this.#timelines[kind] = new Timeline();
  }

  /** Ends the stream in good order. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#pictures.close();
    this.#sounds.close();
    await this.#publisher.finish();
  }

  #toTimestamp(moment: number): number {
    return Math.round((moment - this.#origin) * 1000);
  }

  #setVideo(config: VideoDecoderConfig): void {
    const encoder = this.#pictures.config;
    const width = config.codedWidth ?? encoder?.width ?? 0;
    const height = config.codedHeight ?? encoder?.height ?? 0;
    this.#rate.setBest(bestBitrate(width, height, this.#frameRate));
    this.#setTrack({
      id: VIDEO,
      codec: config.codec,
      description: bytesOf(config.description),
      timescale: TIMESCALE,
      width,
      height,
      frameRate: this.#frameRate,
    });
  }

  #setAudio(config: AudioDecoderConfig): void {
    const { codec, sampleRate, numberOfChannels: channels } = config;
    this.#setTrack({
      id: AUDIO,
      codec,
      description: bytesOf(config.description),
      timescale: TIMESCALE,
      sampleRate,
      channels,
    });
  }

  #setTrack(track: PublishTrack): void {
    const known = this.#tracks.get(track.id);
    if (known && isSame(known, track)) return;
    this.#tracks.set(track.id, track);
    if (this.#announced) this.#announce();
  }

  #announce(): void {
    this.#announced = true;
    this.#publisher.setTracks([...this.#tracks.values()].sort((a, b) => a.id - b.id));
    this.#pictures.requestKeyframe();
  }

  /** Sends what was coded, once all tracks are known or one has waited long enough. */
  #send(track: number, coded: Coded): void {
    if (!this.#announced) {
      this.#held.push({ track, coded });
      if (this.#tracks.size < this.#expected && now() - this.#begunAt < TRACKS_WAIT_MS) return;
      this.#announce();
      for (const held of this.#held.splice(0)) this.#write(held.track, held.coded);
      return;
    }
    this.#write(track, coded);
  }

  #write(track: number, { timestamp, keyframe, data }: Coded): void {
    try {
      const capturedAt = this.#origin + timestamp / 1000;
      if (!this.#publisher.write({ track, time: timestamp, keyframe, capturedAt, data })) return;
      const at = now();
      this.#lateness.add(at, at - capturedAt);
      this.#bytes += data.byteLength;
      if (track === VIDEO) this.#frames++;
    } catch (error) {
      this.#tell({ type: "failed", message: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Adapts the rate and tells how it goes. */
  #look(): void {
    const at = now();
    const before = this.#looks[0] ?? { at, bytes: 0, frames: 0 };
    this.#looks.push({ at, bytes: this.#bytes, frames: this.#frames });
    if (this.#looks.length > TOLD_LOOKS) this.#looks.shift();
    const seconds = (at - before.at) / 1000;
    const target = this.#rate.target;
    const backlog = (this.#publisher.backlog * 8 * 1000) / target;
    // What the server said a while ago does not count any more.
    const ack = at - this.#ackAt < 3 * LOOK_MS ? this.#ack : undefined;
    if (this.#publisher.state.phase === "live") {
      this.#rate.observe(at, backlog, ack?.queueMs ?? 0, ack?.wantedBitrateBps ?? 0, this.#lateness.rise(at));
      this.#pictures.setBitrate(this.#rate.target);
    }
    const config = this.#pictures.config;
    this.#tell({
      type: "stats",
      bitrate: ((this.#bytes - before.bytes) * 8) / seconds,
      target: this.#rate.target,
      frameRate: (this.#frames - before.frames) / seconds,
      width: config?.width ?? 0,
      height: config?.height ?? 0,
      codec: this.#tracks.get(VIDEO)?.codec ?? "",
      dropped: this.#dropped + this.#pictures.dropped,
      backlog,
    });
  }
}

function bytesOf(source: AllowSharedBufferSource | undefined): Uint8Array | undefined {
  if (source === undefined) return undefined;
  // A copy: the encoder may use the memory again.
  return ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength).slice()
    : new Uint8Array(source).slice();
}

function isSame(a: PublishTrack, b: PublishTrack): boolean {
  const x = a.description;
  const y = b.description;
  return (
    a.codec === b.codec &&
    a.width === b.width &&
    a.height === b.height &&
    a.sampleRate === b.sampleRate &&
    a.channels === b.channels &&
    x?.length === y?.length &&
    (x?.every((byte, i) => byte === y?.[i]) ?? true)
  );
}
