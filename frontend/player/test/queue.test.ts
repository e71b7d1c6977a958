import { describe, expect, it } from "vitest";
import { BufferQueue, type Operation } from "../src/engine/queue.ts";

/** Stands for a SourceBuffer: an update lasts until the test ends it. Only the order of calls is tested with it. */
class FakeBuffer extends EventTarget {
  updating = false;
  readonly calls: string[] = [];

  start(call: string): void {
    if (this.updating) throw new DOMException("updating", "InvalidStateError");
    this.calls.push(call);
    this.updating = true;
  }
  end(error = false): void {
    this.updating = false;
    if (error) this.dispatchEvent(new Event("error"));
    this.dispatchEvent(new Event("updateend"));
  }
}

function setUp() {
  const buffer = new FakeBuffer();
  const failures: string[] = [];
  const done: string[] = [];
  const queue = new BufferQueue(buffer as unknown as SourceBuffer, (operation) => failures.push(operation.label));
  const operation = (label: string): Operation => ({
    label,
    run: () => buffer.start(label),
    done: () => done.push(label),
  });
  return { buffer, queue, failures, done, operation };
}

describe("BufferQueue", () => {
  it("runs one operation after the other", () => {
    const { buffer, queue, done, operation } = setUp();
    queue.push(operation("a"));
    queue.push(operation("b"));
    expect(buffer.calls).toEqual(["a"]);
    expect(queue.length).toBe(2);
    buffer.end();
    expect([buffer.calls, done]).toEqual([["a", "b"], ["a"]]);
    buffer.end();
    expect([done, queue.length]).toEqual([["a", "b"], 0]);
  });

  it("goes on at once after an operation that starts no update", () => {
    const { buffer, queue, done, operation } = setUp();
    queue.push({ label: "nothing", run: () => {}, done: () => done.push("nothing") });
    queue.push(operation("a"));
    expect([buffer.calls, done]).toEqual([["a"], ["nothing"]]);
  });

  it("stands still after a failure until it is resumed with what repairs it", () => {
    const { buffer, queue, failures, operation } = setUp();
    queue.push(operation("a"));
    queue.push(operation("b"));
    buffer.end(true);
    expect([failures, buffer.calls]).toEqual([["a"], ["a"]]);
    queue.resume(operation("repair"), operation("a"));
    buffer.end();
    buffer.end();
    expect(buffer.calls).toEqual(["a", "repair", "a", "b"]);
  });

  it("reports an operation that throws", () => {
    const { queue, failures } = setUp();
    queue.push({
      label: "full",
      run: () => {
        throw new DOMException("full", "QuotaExceededError");
      },
    });
    expect(failures).toEqual(["full"]);
  });

  it("merges only with an operation that has not begun", () => {
    const { buffer, queue, operation } = setUp();
    queue.push(operation("a"));
    expect(queue.mergeLast(() => operation("x"))).toBe(false);
    queue.push(operation("b"));
    expect(queue.mergeLast((last) => operation(`${last.label}+c`))).toBe(true);
    buffer.end();
    expect(buffer.calls).toEqual(["a", "b+c"]);
  });

  it("touches the buffer no more once it is closed", () => {
    const { buffer, queue, done, operation } = setUp();
    queue.push(operation("a"));
    queue.push(operation("b"));
    queue.close();
    buffer.end();
    expect([buffer.calls, done]).toEqual([["a"], []]);
  });
});
