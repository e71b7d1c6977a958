import { TrackKind } from "@framewire/schema/media";
import { expect } from "vitest";
import { setting } from "./harness/setting.ts";
import { Tap } from "./harness/tap.ts";
import { until } from "./harness/until.ts";

const here = setting({ serve: ["--source", "demo=demo:"] });

here.it("a viewer's choice of tracks holds when the player starts over, and at another address", async (stage) => {
  const tap = stage.closes(await Tap.to(here.address));
  const player = await stage.embed(tap.address, "demo", "?muted=0");
  await player.plays();
  expect(tap.received("sessionState").at(-1)?.audioTrackId, "sound to begin with").toBeGreaterThan(0);
  await player.do((element) => element.selectTracks({ audio: 0 }));

  const again: [string, () => Promise<unknown>][] = [
    ["retry", () => player.do((element) => element.retry())],
    ["another src", () => player.do((element) => element.setAttribute("src", "/ws?stream=demo&again"))],
  ];
  for (const [what, startOver] of again) {
    const from = tap.passed.length;
    await startOver();
    await until(`pictures alone after ${what}`, () => tap.received("sessionState", from).at(-1)?.audioTrackId === 0);
    await player.plays();
  }
  expect(tap.sockets, "connections").toBe(3);

  // Nothing of it may be in the way of sound that is chosen again.
  const audio =
    tap
      .received("streamStarted")
      .at(-1)
      ?.tracks.find(({ kind }) => kind === TrackKind.AUDIO)?.id ?? 0;
  await player.do((element, to) => element.selectTracks({ audio: to }), audio);
  const from = tap.passed.length;
  await player.do((element) => element.retry());
  await until("sound", () => tap.media("audio", from) > 0);
});
