import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

class FakeAudioContext {
  state = "suspended";
  outputLatency = 0;
  sources: unknown[] = [];
  resumed = 0;
  destination = {};
  #listeners: (() => void)[] = [];
  constructor() {
    contexts.push(this);
  }
  addEventListener(_: string, listener: () => void) {
    this.#listeners.push(listener);
  }
  createMediaElementSource(element: unknown) {
    this.sources.push(element);
    return { connect: () => {} };
  }
  async resume() {
    this.resumed++;
  }
  interrupt() {
    this.state = "interrupted";
    for (const listener of this.#listeners) listener();
  }
}

const contexts: FakeAudioContext[] = [];
const only = () => contexts[0] as FakeAudioContext;
const playing = () => ({ paused: false, muted: false, volume: 1, readyState: 4 }) as HTMLVideoElement;

beforeEach(() => {
  contexts.length = 0;
  vi.stubGlobal("AudioContext", FakeAudioContext);
  vi.resetModules(); // one context is kept for the page
});
afterEach(() => vi.unstubAllGlobals());

const load = async () => {
  const { Speaker } = await import("../src/element/speaker.ts");
  return (video: HTMLVideoElement, wanted = true) => Object.assign(new Speaker(video), { wanted });
};

describe("Speaker", () => {
  it("connects once the context runs, and says so once", async () => {
    const speaker = (await load())(playing());
    expect(speaker.connect()).toBe(false);
    only().state = "running";
    expect(speaker.connect()).toBe(false); // how late its output is, is not known yet
    only().outputLatency = 0.03;
    expect([speaker.connect(), speaker.connect()]).toEqual([true, false]);
    expect(only().sources).toHaveLength(1);
  });

  it.each([
    ["muted", { muted: true }],
    ["silent", { volume: 0 }],
    ["paused", { paused: true }],
    ["still loading", { readyState: 2 }],
  ])("makes no context for an element that is %s", async (_, state) => {
    const speaker = (await load())({ ...playing(), ...state } as HTMLVideoElement);
    expect(speaker.connect()).toBe(false);
    expect(contexts).toHaveLength(0);
  });

  it("leaves slow outputs to the element, which makes up for them", async () => {
    const speaker = (await load())(playing());
    speaker.connect();
    Object.assign(only(), { state: "running", outputLatency: 0.2 });
    expect(speaker.connect()).toBe(false);
    expect(only().sources).toHaveLength(0);
  });

  it("shares one context, and knows an element that is connected already", async () => {
    const speakerOf = await load();
    const [one, two] = [playing(), playing()];
    const first = speakerOf(one);
    first.connect();
    Object.assign(only(), { state: "running", outputLatency: 0.03 });
    expect(first.connect()).toBe(true);
    expect(speakerOf(two).connect()).toBe(true);
    expect(speakerOf(one).connect()).toBe(true);
    expect(contexts).toHaveLength(1);
    expect(only().sources).toEqual([one, two]);
  });

  it("resumes a context that was interrupted, and does nothing where it gains nothing", async () => {
    const speakerOf = await load();
    speakerOf(playing()).connect();
    only().interrupt();
    expect(only().resumed).toBe(1);
    expect(speakerOf(playing(), false).connect()).toBe(false);
  });
});
