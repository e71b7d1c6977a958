/** An operation on a SourceBuffer. It may start one asynchronous update, no more. */
export interface Operation {
  /** What it is, for errors: "append init of video". */
  readonly label: string;
  run(buffer: SourceBuffer): void;
  /** Called when it, and the update that it started, are done. */
  done?(): void;
}

/** The part of SourceBuffer that the queue needs. */
export type QueuedBuffer = Pick<SourceBuffer, "updating" | "addEventListener" | "removeEventListener">;

/**
 * Runs operations on one SourceBuffer one after the other. Nothing else may
 * touch the buffer. After a failure it stands still: the owner repairs and
 * calls resume, or drops it.
 */
export class BufferQueue {
  readonly #buffer: SourceBuffer;
  readonly #failed: (operation: Operation, error: unknown) => void;
  #waiting: Operation[] = [];
  #running: Operation | undefined;
  #stopped = false;

  constructor(buffer: SourceBuffer, failed: (operation: Operation, error: unknown) => void) {
    this.#buffer = buffer;
    this.#failed = failed;
    buffer.addEventListener("updateend", this.#updateEnd);
    buffer.addEventListener("error", this.#error);
  }

  /** Operations not done yet. */
  get length(): number {
    return this.#waiting.length + (this.#running ? 1 : 0);
  }

  /** Adds an operation behind all others. */
  push(operation: Operation): void {
    this.#waiting.push(operation);
    this.#next();
  }

  /** Replaces the last operation if it has not begun and merge returns another. */
  mergeLast(merge: (last: Operation) => Operation | undefined): boolean {
    const last = this.#waiting.at(-1);
    const merged = last && merge(last);
    if (merged) this.#waiting[this.#waiting.length - 1] = merged;
    return merged !== undefined;
  }

  /** Goes on after a failure, with these operations first. */
  resume(...first: Operation[]): void {
    this.#stopped = false;
    this.#waiting.unshift(...first);
    this.#next();
  }

  /** Drops everything; the buffer is not touched again. */
  close(): void {
    this.#stopped = true;
    this.#waiting = [];
    this.#running = undefined;
    this.#buffer.removeEventListener("updateend", this.#updateEnd);
    this.#buffer.removeEventListener("error", this.#error);
  }

  #next(): void {
    while (!this.#running && !this.#stopped && !this.#buffer.updating) {
      const operation = this.#waiting.shift();
      if (!operation) return;
      this.#running = operation;
      try {
        operation.run(this.#buffer);
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (this.#buffer.updating) return;
      this.#finish();
    }
  }

  #finish(): void {
    const operation = this.#running;
    this.#running = undefined;
    operation?.done?.();
  }

  #fail(error: unknown): void {
    const operation = this.#running;
    this.#running = undefined;
    this.#stopped = true;
    if (operation) this.#failed(operation, error);
  }

  readonly #updateEnd = (): void => {
    if (this.#stopped) return;
    this.#finish();
    this.#next();
  };

  readonly #error = (): void => {
    // updateend follows, and finds the queue stopped.
    this.#fail(new DOMException("the media could not be parsed or decoded", "DecodeError"));
  };
}
