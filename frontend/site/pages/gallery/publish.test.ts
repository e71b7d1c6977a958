import { describe, expect, it } from "vitest";
import { hostOf, type Offer } from "./publish.ts";

describe("the address to publish to", () => {
  const location = new URL("http://video.example:8080/") as unknown as Location;
  const offer: Offer = { rtmp: 1935, rtmps: 0, whip: true, key: "needed" };
  const rtmpOf = (change: Partial<Offer>) => hostOf(location, { ...offer, ...change }).rtmp;

  it("names the port of RTMP where it is not the usual one", () => {
    expect(rtmpOf({})).toBe("rtmp://video.example/live");
    expect(rtmpOf({ rtmp: 19350 })).toBe("rtmp://video.example:19350/live");
  });

  it("prefers what nobody can read on the way", () => {
    expect(rtmpOf({ rtmps: 443 })).toBe("rtmps://video.example/live");
    expect(rtmpOf({ rtmps: 1936 })).toBe("rtmps://video.example:1936/live");
  });

  it("is none where the server takes no RTMP", () => {
    expect(rtmpOf({ rtmp: 0 })).toBeUndefined();
  });
});
