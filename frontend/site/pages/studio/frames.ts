// From a track of the browser to frames for the worker.

import type { Feed, Sound } from "./messages.ts";
import tapUrl from "./tap.worklet.ts?worker&url";

/** Frames of one track. */
export interface Frames<T> {
  readonly feed: Feed<T>;
  /** What has to be transferred with the feed. */
  readonly transfer: readonly Transferable[];
  /** Ends it, where the page does the work. */
  stop(): void;
}

/** Whether frames can go from the track to the worker without the page. */
const hasProcessor = typeof MediaStreamTrackProcessor === "function";

/** Pictures of a track. take gets them where the page has to do it. */
export function pictures(track: MediaStreamTrack, take: (frame: VideoFrame) => void): Frames<VideoFrame> {
  if (hasProcessor) {
    const { readable } = new MediaStreamTrackProcessor<VideoFrame>({ track, maxBufferSize: 2 });
    return { feed: { readable }, transfer: [readable], stop() {} };
  }
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = new MediaStream([track]);
  void video.play();
  let running = true;
  const next = (_now: number, { captureTime, expectedDisplayTime }: VideoFrameCallbackMetadata) => {
    if (!running) return;
    // A picture without size comes before the first.
    if (video.videoWidth > 0) {
      take(new VideoFrame(video, { timestamp: Math.round((captureTime ?? expectedDisplayTime) * 1000) }));
    }
    video.requestVideoFrameCallback(next);
  };
  video.requestVideoFrameCallback(next);
  return {
    feed: { byPage: true },
    transfer: [],
    stop() {
      running = false;
      video.srcObject = null;
    },
  };
}

/** Sound of a track. take gets it where the page has to do it. */
export async function sounds(
  track: MediaStreamTrack,
  context: AudioContext,
  take: (sound: Sound, transfer: readonly Transferable[]) => void,
): Promise<Frames<AudioData>> {
  if (hasProcessor) {
    const { readable } = new MediaStreamTrackProcessor<AudioData>({ track });
    return { feed: { readable }, transfer: [readable], stop() {} };
  }
  await context.audioWorklet.addModule(tapUrl);
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const tap = new AudioWorkletNode(context, "framewire-tap", { numberOfOutputs: 0 });
  tap.port.onmessage = ({ data }: MessageEvent<Sound>) => take(data, [data.planes.buffer]);
  source.connect(tap);
  return {
    feed: { byPage: true },
    transfer: [],
    stop() {
      source.disconnect();
      tap.port.close();
    },
  };
}
