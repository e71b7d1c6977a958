import type { Reporter, TestModule } from "vitest/node";

/** Ends the output with one line that tells how it went. */
export default class Summary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) for (const test of module.children.allTests()) count[test.result().state]++;
    const broken = errors.length + modules.filter((module) => module.errors().length > 0).length;
    const sum = `${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} not run`;
    const bad = count.failed + broken > 0;
    console.log(
      `browser tests ${bad ? "FAILED" : "passed"}: ${sum}${broken ? `, ${broken} errors outside of tests` : ""}`,
    );
  }
}
