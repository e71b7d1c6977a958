import type { Seconds } from "../units.ts";
import { BufferQueue, type Operation } from "./queue.ts";

export type Kind = "video" | "audio";

/** Chunks that wait are appended together up to this size. */
const maxMerged = 1 << 20;
/** Ranges nearer than this play through: about a frame, as browsers have it. */
const seam: Seconds = 0.1;

export interface Range {
  readonly start: Seconds;
  readonly end: Seconds;
}

/** An operation that appends media, and may take more while it waits. */
interface Append extends Operation {
  readonly chunks: Uint8Array<ArrayBuffer>[];
  readonly size: number;
}

/** One track of a MediaSource: its SourceBuffer, init segment and queue. */
export class TrackBuffer {
  readonly kind: Kind;
  readonly #buffer: SourceBuffer;
  readonly #queue: BufferQueue;
  #type: string;
  #init: Uint8Array<ArrayBuffer> | undefined;
  #ranges: Range[] = [];

  constructor(
    kind: Kind,
    buffer: SourceBuffer,
    type: string,
    failed: (track: TrackBuffer, operation: Operation, error: unknown) => void,
  ) {
    this.kind = kind;
    this.#buffer = buffer;
    this.#type = type;
    buffer.mode = "segments";
    this.#queue = new BufferQueue(buffer, (operation, error) => failed(this, operation, error));
  }

  get type(): string {
    return this.#type;
  }

  /** What is buffered, in order. */
  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  /** True while operations wait or run. */
  get busy(): boolean {
    return this.#queue.length > 0;
  }

  /** Whether this init segment is the one appended last. */
  hasInit(init: Uint8Array): boolean {
    return this.#init !== undefined && sameBytes(this.#init, init);
  }

  /** Appends an init segment, after changing to its type where that is another. */
  initialize(type: string, init: Uint8Array<ArrayBuffer>): void {
    if (codecFamily(type) !== codecFamily(this.#type)) {
      this.#queue.push({ label: `change ${this.kind} to ${type}`, run: (buffer) => buffer.changeType(type) });
    }
    this.#type = type;
    this.#init = init;
    this.#queue.push({ label: `append init of ${this.kind}`, run: (buffer) => buffer.appendBuffer(init) });
  }

  append(chunk: Uint8Array<ArrayBuffer>): void {
    const merged = this.#queue.mergeLast((last) =>
      isAppend(last) && last.size < maxMerged ? this.#append([...last.chunks, chunk]) : undefined,
    );
    if (!merged) this.#queue.push(this.#append([chunk]));
  }

  remove(start: Seconds, end: Seconds): void {
    this.#queue.push(this.#removal(start, end));
  }

  /** Goes on after a failed operation: removes what lies before end, and does it again. */
  retryAfterRemoving(operation: Operation, end: Seconds): void {
    this.#queue.resume(this.#removal(0, end), operation);
  }

  /** The range that time lies in, or is about to enter. */
  rangeAt(time: Seconds): Range | undefined {
    return this.#ranges.find((range) => time >= range.start - seam && time <= range.end + 0.001);
  }

  /** Where the next range behind the one at time starts. */
  nextStart(time: Seconds): Seconds | undefined {
    return this.#ranges.find((range) => range.start > time + 0.001)?.start;
  }

  close(): void {
    this.#queue.close();
  }

  #append(chunks: Uint8Array<ArrayBuffer>[]): Append {
    const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    return {
      label: `append to ${this.kind}`,
      chunks,
      size,
      run: (buffer) => buffer.appendBuffer(joined(chunks, size)),
      done: () => this.#refresh(),
    };
  }

  #removal(start: Seconds, end: Seconds): Operation {
    return {
      label: `remove from ${this.kind}`,
      run: (buffer) => {
        if (end > start) buffer.remove(start, end);
      },
      done: () => this.#refresh(),
    };
  }

  #refresh(): void {
    const { buffered } = this.#buffer;
    this.#ranges = Array.from({ length: buffered.length }, (_, i) => ({
      start: buffered.start(i),
      end: buffered.end(i),
    }));
  }
}

/** The part of the codec string that says which decoder it takes. */
export function codecFamily(type: string): string {
  return /codecs="?([a-z0-9-]+)/i.exec(type)?.[1]?.toLowerCase() ?? type;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function isAppend(operation: Operation): operation is Append {
  return "chunks" in operation;
}

function joined(chunks: readonly Uint8Array<ArrayBuffer>[], size: number): Uint8Array<ArrayBuffer> {
  const [only] = chunks;
  if (only && chunks.length === 1) return only;
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
