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

/** The server tells the least delay of such a time, compared to the least of its memory. */
const SLOT_MS = 200;
const MEMORY_MS = 10_000;
/** What the server tells is of a slot that began so long ago at the most. */
const RECENT_MS = 3 * SLOT_MS;

/**
 * How much later than they could samples leave this machine. A busy one encodes
 * late, which the server cannot tell from a network that holds them back; but
 * fewer bits would mend nothing there.
 */
export class Lateness {
  #samples: { readonly at: number; readonly delay: number }[] = [];

  /** Notes a sample that leaves now, so long after it was captured, in milliseconds. */
  add(at: number, delay: number): void {
    this.#samples.push({ at, delay });
    if ((this.#samples[0]?.at ?? at) < at - 2 * MEMORY_MS) this.#forget(at);
  }

  /** By how much the least delay of one of the last slots is above that of the memory. */
  rise(at: number): number {
    this.#forget(at);
    let least = Number.POSITIVE_INFINITY;
    const slots = new Map<number, number>();
    for (const sample of this.#samples) {
      least = Math.min(least, sample.delay);
      const slot = Math.floor((at - sample.at) / SLOT_MS);
      if (slot * SLOT_MS < RECENT_MS) slots.set(slot, Math.min(slots.get(slot) ?? sample.delay, sample.delay));
    }
    return slots.size > 0 ? Math.max(...slots.values()) - least : 0;
  }

  #forget(at: number): void {
    this.#samples = this.#samples.filter((sample) => sample.at > at - MEMORY_MS);
  }
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
   * @param own how much of the queue is this machine's: see Lateness.
   */
  observe(now: number, backlog: number, queue: number, wanted: number, own = 0): void {
    if (own > 0 && queue - own <= LONG_QUEUE_MS) {
      queue = 0;
      wanted = 0; // which is for the sake of the queue
    }
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
