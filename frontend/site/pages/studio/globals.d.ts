// What the bundler and newer browsers have and TypeScript does not know.

declare module "*?worker&url" {
  const url: string;
  export default url;
}

/** https://www.w3.org/TR/mediacapture-transform/ */
declare class MediaStreamTrackProcessor<T extends VideoFrame | AudioData> {
  constructor(options: { readonly track: MediaStreamTrack; readonly maxBufferSize?: number });
  readonly readable: ReadableStream<T>;
}
