import { describe, expect, test } from "vitest";
import { parseStreamName, type StreamName, socketUrl, streamOfPath } from "./stream-name.ts";

describe("parseStreamName", () => {
  test.each(["demo", "yard/gate", "a.b_c~d-e", "0", "..a", "x".repeat(128)])("takes %s", (name) =>
    expect(parseStreamName(name)).toBe(name),
  );
  test.each(["", "/", "a//b", "/a", "a/", ".", "a/..", "a b", "ü", "a?b", "<b>", "x".repeat(129)])(
    "refuses %j",
    (name) => expect(parseStreamName(name)).toBeUndefined(),
  );
});

describe("streamOfPath", () => {
  test.each([
    ["/watch/demo", "demo"],
    ["/watch/demo/", "demo"],
    ["/watch/yard/gate", "yard/gate"],
    ["/watch/yard%2Fgate", "yard/gate"],
    ["/watch/", undefined],
    ["/watch/%", undefined],
    ["/watch/a%20b", undefined],
    ["/embed/demo", undefined],
  ])("%s is %s", (path, name) => expect(streamOfPath(path, "/watch/")).toBe(name));
});

test("the socket has the scheme of the page", () => {
  expect(socketUrl("http://localhost:8080")).toBe("ws://localhost:8080/ws");
  expect(socketUrl("https://tv.example", "yard/gate" as StreamName)).toBe("wss://tv.example/ws?stream=yard/gate");
});
