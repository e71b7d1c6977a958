// Sound: one or two sources to one track, and how loud it is.

/** Below this the meter shows nothing, in decibels of full scale. */
const QUIET_DB = -60;
/** The meter falls by this part of the scale in a second. */
const FALL = 1.2;

/** Mixes sound sources and measures the level. */
export class Mixer {
  readonly context = new AudioContext({ latencyHint: "interactive" });
  readonly #analyser = new AnalyserNode(this.context, { fftSize: 1024 });
  readonly #buffer = new Float32Array(1024);
  #sources: MediaStreamAudioSourceNode[] = [];
  #mix: MediaStreamAudioDestinationNode | undefined;
  #level = 0;
  #measuredAt = performance.now();

  /** Takes other tracks in place of those before, and returns what they sound like together. */
  set(tracks: readonly MediaStreamTrack[]): MediaStreamTrack | undefined {
    for (const source of this.#sources) source.disconnect();
    this.#sources = tracks.map((track) => this.context.createMediaStreamSource(new MediaStream([track])));
    for (const source of this.#sources) source.connect(this.#analyser);
    void this.context.resume();
    if (tracks.length < 2) return tracks[0];
    this.#mix ??= this.context.createMediaStreamDestination();
    for (const source of this.#sources) source.connect(this.#mix);
    return this.#mix.stream.getAudioTracks()[0];
  }

  /** The level now, from 0 to 1 of the scale. */
  get level(): number {
    this.#analyser.getFloatTimeDomainData(this.#buffer);
    let peak = 0;
    for (const sample of this.#buffer) peak = Math.max(peak, Math.abs(sample));
    const now = performance.now();
    const fallen = this.#level - (FALL * (now - this.#measuredAt)) / 1000;
    this.#measuredAt = now;
    const db = 20 * Math.log10(Math.max(peak, 1e-6));
    this.#level = Math.min(1, Math.max(0, fallen, 1 - db / QUIET_DB));
    return this.#level;
  }
}
