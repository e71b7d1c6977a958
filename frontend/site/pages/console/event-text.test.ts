import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { EventSchema } from "@framewire/schema/admin";
import { GapReason, StreamStatus } from "@framewire/schema/media";
import { GoodbyeReason } from "@framewire/schema/session";
import { expect, test } from "vitest";
import { type Line, lineOf } from "./event-text.ts";

type Init = MessageInitShape<typeof EventSchema>;

const cases: readonly { readonly text: string; readonly tone: Line["tone"]; readonly event: Init }[] = [
  {
    text: "Viewer came: unnamed client from 192.0.2.7:99",
    tone: "plain",
    event: { body: { case: "sessionOpened", value: { remote: "192.0.2.7:99" } } },
  },
  {
    text: "Viewer ended: too slow for every step, after 3 min 20 s",
    tone: "warn",
    event: { body: { case: "sessionClosed", value: { reason: GoodbyeReason.TOO_SLOW, durationMs: 200_000n } } },
  },
  {
    text: "Viewer unknown (99), after 0 s",
    tone: "warn",
    event: { body: { case: "sessionClosed", value: { reason: 99 as GoodbyeReason, durationMs: 1n } } },
  },
  {
    text: "Viewer missed 2.5 s: taken too slowly",
    tone: "warn",
    event: { body: { case: "gap", value: { reason: GapReason.TOO_SLOW, fromSeconds: 1, toSeconds: 3.5 } } },
  },
  {
    text: "Live",
    tone: "good",
    event: { body: { case: "streamStatusChanged", value: { status: StreamStatus.LIVE } } },
  },
  {
    text: "Starting: no route",
    tone: "warn",
    event: { body: { case: "streamStatusChanged", value: { status: StreamStatus.STARTING, message: "no route" } } },
  },
  { text: "Removed", tone: "plain", event: { body: { case: "streamStatusChanged", value: {} } } },
  { text: "Publisher left", tone: "plain", event: { body: { case: "publisherClosed", value: {} } } },
  {
    text: "The configuration was read again",
    tone: "good",
    event: { body: { case: "configurationRead", value: {} } },
  },
  {
    text: "The configuration was read again; a restart is needed for: listen; window",
    tone: "warn",
    event: { body: { case: "configurationRead", value: { takesRestart: ["listen", "window"] } } },
  },
  {
    text: "KickSession by an operator from [::1]:9",
    tone: "plain",
    event: { body: { case: "operatorActed", value: { method: "KickSession", remote: "[::1]:9" } } },
  },
];

test.each(cases.map(({ text, tone, event }) => [text, tone, event] as const))("%s", (text, tone, event) => {
  expect(lineOf(create(EventSchema, event))).toMatchObject({ text, tone });
});

test("an event that is not known yet has no line", () => {
  expect(lineOf(create(EventSchema))).toBeUndefined();
});
