/** How long a condition may take on a loaded machine. */
const patience = 60_000;
const period = 50;

/** Waits until probe gives something true, and returns it; says what was waited for, and what was there, otherwise. */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  timeout: number = patience,
): Promise<Exclude<T, false | undefined | null | 0 | "">> {
  const end = performance.now() + timeout;
  for (;;) {
    const value = await probe();
    if (value) return value as Exclude<T, false | undefined | null | 0 | "">;
    if (performance.now() > end) throw new Error(`not within ${timeout / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, period));
  }
}
