import type { FramewireError } from "./errors.ts";

/** What a session is asked again for, because it came too fast for the server. */
export class Persistence {
  readonly #waiting = new Set<ReturnType<typeof setTimeout>>();

  /** Asks, and again where the server says when; what it refuses is left at that. */
  ask(question: () => Promise<void>): void {
    question().catch(({ retryAfter }: FramewireError) => {
      if (!(retryAfter > 0)) return;
      const again = setTimeout(() => {
        this.#waiting.delete(again);
        this.ask(question);
      }, retryAfter);
      this.#waiting.add(again);
    });
  }

  /** The session is over: nothing more is asked of it. */
  end(): void {
    for (const again of this.#waiting) clearTimeout(again);
    this.#waiting.clear();
  }
}
