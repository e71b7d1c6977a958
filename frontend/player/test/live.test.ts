import { describe, expect, it } from "vitest";
import { LiveControl, type LiveInput } from "../src/engine/live.ts";
import { profileOf } from "../src/engine/profile.ts";

const chromium = profileOf(
  "Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36",
);
const safari = profileOf("Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1");
const step = 50;

const base: Omit<LiveInput, "at" | "gap"> = {
  moving: true,
  sound: true,
  graph: false,
  chunk: 0.04,
  jitter: 5,
  wanted: undefined,
};

/** A playhead whose gap shrinks as the rate says, unless stuck. */
class Simulation {
  at = 0;
  jumps = 0;
  gaveUp = 0;
  rate = 1;
  target = 0;
  maxRate = 1;
  minRate = 1;

  constructor(
    readonly control: LiveControl,
    public gap: number,
    readonly input = base,
    readonly stuck = false,
  ) {}

  run(ms: number): this {
    for (const end = this.at + ms; this.at < end; this.at += step) {
      const sawtooth = (this.at / step) % 2 ? 0.016 : -0.016;
      const decision = this.control.tick({ ...this.input, at: this.at, gap: this.gap + sawtooth });
      this.rate = decision.rate;
      this.target = decision.target;
      this.maxRate = Math.max(this.maxRate, this.rate);
      this.minRate = Math.min(this.minRate, this.rate);
      if (decision.gaveUp) this.gaveUp++;
      if (decision.jump) {
        this.jumps++;
        this.gap = 0.22;
      }
      if (!this.stuck) this.gap -= ((this.rate - 1) * step) / 1000;
    }
    return this;
  }
}

describe("LiveControl", () => {
  it("brings the gap to the target, and then leaves the rate alone", () => {
    const sim = new Simulation(new LiveControl(chromium), 0.3).run(10_000);
    expect(sim.gap).toBeLessThan(sim.target + 0.04);
    expect(sim.gap).toBeGreaterThan(sim.target - 0.04);
    expect(sim.maxRate).toBeLessThanOrEqual(1.05);
    sim.maxRate = sim.minRate = 1;
    sim.run(5_000);
    expect([sim.minRate, sim.maxRate]).toEqual([1, 1]);
    expect(sim.jumps).toBe(0);
  });

  it("makes up for what the renderer took to start within three seconds, without a jump", () => {
    const control = new LiveControl(chromium);
    control.started(0);
    const sim = new Simulation(control, 0.4, { ...base, graph: true }).run(3_000);
    expect(sim.jumps).toBe(0);
    expect(sim.gap).toBeLessThan(0.15);
    sim.gap = 0.4;
    sim.maxRate = 1;
    sim.run(3_000);
    expect(sim.maxRate, "later").toBeLessThanOrEqual(1.05);
  });

  it("makes up for what a stall cost as quickly, and then is in no hurry any more", () => {
    const control = new LiveControl(chromium);
    const sim = new Simulation(control, 0.12).run(6_000);
    expect(sim.maxRate).toBeLessThanOrEqual(1.05);
    control.stalled(sim.at);
    sim.gap += 0.25;
    sim.run(3_100);
    expect(sim.maxRate).toBeCloseTo(1.1);
    expect(sim.gap).toBeLessThan(sim.target + 0.04);
    sim.gap += 0.3;
    sim.maxRate = 1;
    sim.run(6_000);
    expect(sim.maxRate).toBeCloseTo(1.05);
    expect(sim.jumps).toBe(0);
  });

  it("jumps at once after a start that took too long to make up for", () => {
    const control = new LiveControl(chromium);
    control.started(0);
    const sim = new Simulation(control, 0.7).run(500);
    expect(sim.jumps).toBe(1);
    sim.run(3_000);
    expect(sim.jumps).toBe(1);
    expect(sim.gap).toBeLessThan(sim.target + 0.04);
  });

  it("slows sound down at once when nothing comes", () => {
    const control = new LiveControl(chromium);
    const sim = new Simulation(control, 0.25, { ...base, jitter: 250 }).run(3_000);
    expect(sim.minRate).toBeGreaterThan(0.9);
    sim.gap -= 0.1;
    sim.run(step);
    expect(sim.rate).toBeCloseTo(0.8);
    const ample = new Simulation(new LiveControl(chromium), 0.5, { ...base, jitter: 500 }).run(3_000);
    ample.gap -= 0.1;
    ample.run(step);
    expect(ample.rate, "with enough ahead").toBeGreaterThan(0.9);
  });

  it("slows down when too near", () => {
    const sim = new Simulation(new LiveControl(chromium), 0.03).run(8_000);
    expect(sim.minRate).toBeLessThan(1);
    expect(sim.gap).toBeGreaterThan(sim.target - 0.04);
  });

  it("jumps once when more than a second behind, and not again within three seconds", () => {
    const sim = new Simulation(new LiveControl(chromium), 2).run(1_000);
    expect(sim.jumps).toBe(1);
    sim.gap = 2;
    sim.run(1_500);
    expect(sim.jumps).toBe(1);
    sim.run(3_000);
    expect(sim.jumps).toBe(2);
  });

  it("gives up a chase that brings nothing, for a while", () => {
    const sim = new Simulation(new LiveControl(chromium), 0.4, base, true).run(5_000);
    expect(sim.gaveUp).toBe(1);
    expect(sim.rate).toBe(1);
    sim.run(8_000);
    expect(sim.maxRate).toBeGreaterThan(1);
    expect(sim.gaveUp).toBeGreaterThanOrEqual(1);
  });

  it("never changes the rate on Safari", () => {
    const sim = new Simulation(new LiveControl(safari), 0.9).run(10_000);
    expect([sim.minRate, sim.maxRate]).toEqual([1, 1]);
  });

  it("raises the target with jitter and stalls, and lowers it again in calm", () => {
    const control = new LiveControl(chromium);
    const sim = new Simulation(control, 0.2).run(1_000);
    const calm = sim.target;
    control.stalled(sim.at);
    control.stalled(sim.at);
    sim.run(100);
    expect(sim.target).toBeGreaterThan(calm + 0.05);
    sim.run(120_000);
    expect(sim.target).toBeCloseTo(calm, 2);
    const jittery = (control: LiveControl) => new Simulation(control, 0.5, { ...base, jitter: 200 }).run(100).target;
    expect(jittery(new LiveControl(chromium))).toBeCloseTo(0.2, 2);
    const twice = new LiveControl(chromium);
    twice.stalled(0);
    expect(jittery(twice), "stalls that lateness explains").toBeCloseTo(0.2, 2);
  });

  it("does not stay farther behind for the stalls of an outage, which ends with a jump", () => {
    const control = new LiveControl(chromium);
    const sim = new Simulation(control, 0.2).run(1_000);
    const calm = sim.target;
    for (let i = 0; i < 4; i++) control.stalled(sim.at);
    sim.gap = 3;
    sim.run(5_000);
    expect(sim.jumps).toBe(1);
    expect(sim.target).toBeCloseTo(calm, 2);
  });

  it("heeds a wanted latency, but not below the browser's floor", () => {
    expect(new Simulation(new LiveControl(chromium), 0.5, { ...base, wanted: 0.8 }).run(100).target).toBe(0.8);
    expect(new Simulation(new LiveControl(chromium), 0.5, { ...base, wanted: 0 }).run(100).target).toBe(
      chromium.soundFloor,
    );
  });

  it("goes nearer where sound goes through a graph, but only in browsers that gain by it", () => {
    const target = (profile: typeof chromium, jitter: number) =>
      new Simulation(new LiveControl(profile), 0.3, { ...base, chunk: 0.021, graph: true, jitter }).run(100).target;
    expect(target(chromium, 5)).toBe(chromium.graphFloor);
    expect(target(chromium, 80)).toBeCloseTo(0.08, 2);
    expect(target(safari, 5)).toBe(safari.soundFloor);
  });

  it("keeps the whole of long fragments ahead", () => {
    const sim = new Simulation(new LiveControl(chromium), 1, { ...base, chunk: 0.5 }).run(100);
    expect(sim.target).toBeGreaterThan(0.75);
  });

  it("plays at rate 1 while the element does not move", () => {
    const control = new LiveControl(chromium);
    new Simulation(control, 0.5).run(2_000);
    expect(control.tick({ ...base, at: 2_050, gap: 0.5, moving: false }).rate).toBe(1);
  });
});

describe("profileOf", () => {
  it.each([
    ["Mozilla/5.0 Gecko/20100101 Firefox/140.0", "firefox"],
    ["Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 CriOS/140.0 Mobile Safari/604.1", "safari"],
    ["Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15", "safari"],
    ["Mozilla/5.0 Chrome/156.0.0.0 Safari/537.36 Edg/156.0", "chromium"],
  ])("%s is %s", (userAgent, name) => {
    expect(profileOf(userAgent).name).toBe(name);
  });
});
