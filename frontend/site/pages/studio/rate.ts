// The bitrate of the video encoder, from what the network takes.

/** Backlog on this machine, and queue on the way, above which less is sent. */
const LONG_BACKLOG_MS = 200;
const LONG_QUEUE_MS = 150;
/** Backlog above which pictures are left out up to the next keyframe. */
const STUCK_MS = 1_200;
/** Backlog below which pictures go on after that. */
const FREE_MS = 150;
/** Time between two steps down: one has to take effect before the next. */
const DOWN_PAUSE_MS = 700;
/** Time without trouble before a step up, and between steps. */
const CALM_MS = 3_000;
const UP_PAUSE_MS = 1_000;
const DOWN = 0.7;
const UP = 1.08;

/** Bits per second that a picture of a size and rate deserves at most. */
export function bestBitrate(width: number, height: number, frameRate: number): number {
  // 0.09 bits a pixel: 2.5 Mb/s for 1280x720 at 30, a common figure for
  // conversation and games alike. Twice the pictures do not need twice the bits.
  return Math.round(width * height * 30 * Math.sqrt(Math.max(frameRate, 5) / 30) * 0.09);
}

/** Decides by backlog, queue and the server's wish. Times are in milliseconds. */
export class RateControl {
  #best: number;
  #target: number;
  #stuck = false;
  #troubledAt = Number.NEGATIVE_INFINITY;
  #changedAt = Number.NEGATIVE_INFINITY;

  constructor(best: number) {
    this.#best = best;
    this.#target = best;
  }

  /** Bits per second for the encoder. */
  get target(): number {
    return Math.round(this.#target);
  }

  /** True while pictures are to be left out. */
  get stuck(): boolean {
    return this.#stuck;
  }

  /** Another size or rate of pictures. */
  setBest(best: number): void {
    this.#target = Math.min(best, (this.#target / this.#best) * best);
    this.#best = best;
  }

  /**
   * Looks at how it goes; several times a second.
   *
   * @param backlog media that waits on this machine.
   * @param queue by how much samples come to the server later than they could.
   * @param wanted what the server would have at most, in bits per second; 0 for no wish.
   */
  observe(now: number, backlog: number, queue: number, wanted: number): void {
    if (backlog > STUCK_MS) this.#stuck = true;
    else if (backlog < FREE_MS) this.#stuck = false;
    if (backlog > LONG_BACKLOG_MS || queue > LONG_QUEUE_MS || (wanted > 0 && wanted < this.#target)) {
      this.#troubledAt = now;
      if (now - this.#changedAt < DOWN_PAUSE_MS) return;
      const down = this.#target * DOWN;
      this.#change(now, wanted > 0 ? Math.min(down, wanted) : down);
    } else if (now - this.#troubledAt > CALM_MS && now - this.#changedAt > UP_PAUSE_MS) {
      this.#change(now, this.#target * UP);
    }
  }

  #change(now: number, target: number): void {
    // Below a sixteenth the picture is worth nothing; leaving pictures out is better.
    this.#target = Math.min(this.#best, Math.max(this.#best / 16, target));
    this.#changedAt = now;
  }
}
