import { type Millis, now, type Seconds } from "../units.ts";
import { Jitter } from "./jitter.ts";
import { LiveControl, type LiveDecision } from "./live.ts";
import type { Profile } from "./profile.ts";
import type { Kind } from "./track.ts";

/** How quickly the estimate of what lies outside the buffer follows, per frame. */
const upstreamWeight = 0.05;

/**
 * The part of the pictures that is to come in time. Where they run dry, they go on
 * with the next one, and hardly anybody sees it. Sound takes a fifth of a second to
 * go on, and must not run dry at all.
 */
const picturesInTime = 0.9;

export interface SteeringInput {
  readonly gap: Seconds;
  readonly moving: boolean;
  /** False while the viewer is behind live by choice. */
  readonly steer: boolean;
  readonly kinds: readonly Kind[];
  /** Wanted capture-to-display latency, 0 for automatic. */
  readonly latency: Millis;
}

/** Gathers what LiveControl needs to know, and keeps what it decided. */
export class Steering {
  readonly #control: LiveControl;
  readonly #jitter = { video: new Jitter(), audio: new Jitter() };
  readonly #chunk = { video: 0, audio: 0 };
  /** Latency that is not media in the buffer: capture, network, decoding, display. */
  #upstream: Seconds | undefined;
  #decision: LiveDecision = { rate: 1, target: 0, jump: false, gaveUp: false };

  constructor(profile: Profile) {
    this.#control = new LiveControl(profile);
  }

  get target(): Seconds {
    return this.#decision.target;
  }

  get rate(): number {
    return this.#decision.rate;
  }

  /** Arrival jitter: the given percentile of the worse track. */
  jitter(kinds: readonly Kind[], part = 0.99): Millis {
    return Math.max(0, ...kinds.map((kind) => this.#jitter[kind].percentile(part)));
  }

  /** Lateness that is to be reckoned with, of the worse track. */
  #repeated(kinds: readonly Kind[]): Millis {
    return Math.max(0, ...kinds.map((kind) => this.#jitter[kind].repeated()));
  }

  /** Whether sound goes through a graph of Web Audio. */
  graph = false;

  /** A fragment came now. */
  arrived(kind: Kind, decodeTime: Seconds, duration: Seconds): void {
    this.#jitter[kind].add(now(), decodeTime + duration, duration);
    this.#chunk[kind] = duration;
  }

  /** What a shown frame's latency was, less the media ahead of it. */
  measured(upstream: Seconds): void {
    this.#upstream ??= upstream;
    this.#upstream += upstreamWeight * (upstream - this.#upstream);
  }

  stalled(): void {
    this.#control.stalled(now());
  }

  /** Playing has begun at the live edge. */
  started(): void {
    this.#control.started(now());
  }

  /** The playhead was moved. */
  moved(): void {
    this.#control.moved();
  }

  /** What arrives from now on cannot be compared with what came before. */
  restart(): void {
    for (const jitter of Object.values(this.#jitter)) jitter.reset();
    this.#control.moved();
    this.#decision = { ...this.#decision, rate: 1 };
  }

  tick({ gap, moving, steer, kinds, latency }: SteeringInput): LiveDecision {
    const wanted = latency > 0 && this.#upstream !== undefined ? latency / 1000 - this.#upstream : undefined;
    const sound = kinds.includes("audio");
    this.#decision = this.#control.tick({
      at: now(),
      gap,
      moving: moving && steer,
      sound,
      graph: this.graph,
      chunk: Math.max(0, ...kinds.map((kind) => this.#chunk[kind])),
      jitter: sound ? this.#repeated(kinds) : this.jitter(kinds, picturesInTime),
      wanted,
    });
    return this.#decision;
  }
}
