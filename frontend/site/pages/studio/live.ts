// The worker that encodes and sends, from the page's side.

import { type Frames, pictures, sounds } from "./frames.ts";
import type { FromWorker, Sound, ToWorker } from "./messages.ts";

export interface LiveOptions {
  readonly url: string;
  readonly stream: string;
  readonly key: string;
  readonly video: MediaStreamTrack | undefined;
  readonly audio: MediaStreamTrack | undefined;
  readonly context: AudioContext;
}

/** A stream that goes out, until stop. */
export class Live {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  readonly #context: AudioContext;
  #pictures: Frames<VideoFrame> | undefined;
  #sounds: Frames<AudioData> | undefined;

  constructor(options: LiveOptions, listen: (message: FromWorker) => void) {
    this.#context = options.context;
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.type === "stopped") this.#end();
      listen(data);
    };
    this.#worker.onerror = (event) =>
      listen({ type: "failed", message: event.message || "The encoder did not start." });
    void this.#start(options);
  }

  /** Goes on with another picture. */
  setVideo(track: MediaStreamTrack): void {
    this.#pictures?.stop();
    this.#pictures = pictures(track, (frame) => this.#frame(frame));
    this.#post({ type: "source", video: this.#pictures.feed }, this.#pictures.transfer);
  }

  /** Goes on with other sound. */
  async setAudio(track: MediaStreamTrack): Promise<void> {
    this.#sounds?.stop();
    this.#sounds = await sounds(track, this.#context, (sound, transfer) => this.#sound(sound, transfer));
    this.#post({ type: "source", audio: this.#sounds.feed }, this.#sounds.transfer);
  }

  /** Ends the stream in good order; "stopped" follows. */
  stop(): void {
    this.#post({ type: "stop" });
  }

  async #start({ url, stream, key, video, audio, context }: LiveOptions): Promise<void> {
    if (video) this.#pictures = pictures(video, (frame) => this.#frame(frame));
    if (audio) this.#sounds = await sounds(audio, context, (sound, transfer) => this.#sound(sound, transfer));
    this.#post(
      {
        type: "start",
        url,
        stream,
        key,
        video: this.#pictures?.feed,
        audio: this.#sounds?.feed,
        frameRate: Math.round(video?.getSettings().frameRate || 30),
      },
      [...(this.#pictures?.transfer ?? []), ...(this.#sounds?.transfer ?? [])],
    );
  }

  #frame(frame: VideoFrame): void {
    this.#post({ type: "frame", frame }, [frame]);
  }

  #sound(sound: Sound, transfer: readonly Transferable[]): void {
    this.#post(sound, transfer);
  }

  #post(message: ToWorker, transfer: readonly Transferable[] = []): void {
    this.#worker.postMessage(message, [...transfer]);
  }

  #end(): void {
    this.#pictures?.stop();
    this.#sounds?.stop();
    this.#worker.terminate();
  }
}
