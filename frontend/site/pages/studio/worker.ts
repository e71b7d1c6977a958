// Encodes and sends away from the page, which may be busy or hidden.

import { Broadcast } from "./broadcast.ts";
import type { Feed, FromWorker, ToWorker } from "./messages.ts";

/** The part of a dedicated worker's global scope that is used. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
  close(): void;
}

const scope = globalThis as unknown as WorkerScope;
let broadcast: Broadcast | undefined;
const readers = new Map<string, ReadableStreamDefaultReader<VideoFrame | AudioData>>();

scope.onmessage = ({ data }) => {
  switch (data.type) {
    case "start":
      broadcast = new Broadcast(data, (message) => scope.postMessage(message));
      if (data.video) read("video", data.video, (frame) => broadcast?.picture(frame));
      if (data.audio) read("audio", data.audio, (sound) => broadcast?.sound(sound));
      return;
    case "source":
      if ("video" in data) {
        broadcast?.forget("video");
        read("video", data.video, (frame) => broadcast?.picture(frame));
      } else {
        broadcast?.forget("audio");
        read("audio", data.audio, (sound) => broadcast?.sound(sound));
      }
      return;
    case "frame":
      if (broadcast) broadcast.picture(data.frame);
      else data.frame.close();
      return;
    case "sound": {
      const { planes, channels, sampleRate, timestamp } = data;
      const numberOfFrames = planes.length / channels;
      broadcast?.sound(
        new AudioData({
          format: "f32-planar",
          sampleRate,
          numberOfFrames,
          numberOfChannels: channels,
          timestamp,
          data: planes,
        }),
      );
      return;
    }
    case "stop":
      void stop();
      return;
    default:
      data satisfies never;
  }
};

/** Takes frames from a stream until it ends, or another of the kind takes its place. */
function read<T extends VideoFrame | AudioData>(
  kind: "video" | "audio",
  feed: Feed<T>,
  take: (frame: T) => void,
): void {
  void readers.get(kind)?.cancel();
  readers.delete(kind);
  if (!("readable" in feed)) return;
  const reader = feed.readable.getReader();
  readers.set(kind, reader);
  void (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      take(value);
    }
  })().catch((error: Error) => scope.postMessage({ type: "failed", message: error.message }));
}

async function stop(): Promise<void> {
  for (const reader of readers.values()) void reader.cancel();
  readers.clear();
  await broadcast?.stop();
  scope.postMessage({ type: "stopped" });
  scope.close();
}
