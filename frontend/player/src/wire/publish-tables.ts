// Made by scripts/wire-tables.mjs from the schema. Do not edit.
//
// What only publishers need, spelt as in tables.ts: messages, and more fields
// for ClientMessage and ServerMessage.
export const publishTables = {
  ClientMessage: "publishSample@body:6PublishSample publishStart@body:7PublishStart publishTracks@body:8PublishTracks publishEnd@body:9PublishEnd",
  PublishAck: "id:1u samples:2v bytes:3v viewers:4u delayMs:5d queueMs:6d bitrateBps:7d wantedBitrateBps:8d viewerLatencyMs:9d",
  PublishEnd: "",
  PublishEnded: "id:1u reason:2e retryAfterMs:3u message:4s",
  PublishKeyframeRequest: "id:1u",
  PublishSample: "trackId:1u decodeTimeTicks:2x compositionOffsetTicks:3z durationTicks:4u keyframe:5b capturedAtUnixUs:6x data:15y",
  PublishStart: "id:1u stream:2s key:3s tracks:4*PublishTrack",
  PublishStarted: "id:1u stream:2s maxSampleBytes:3u ackIntervalMs:4u",
  PublishTrack: "id:1u codec:2s decoderConfig:3y timescale:4u video@details:5VideoDetails audio@details:6AudioDetails language:7s",
  PublishTracks: "tracks:1*PublishTrack",
  ServerMessage: "publishAck@body:13PublishAck publishKeyframeRequest@body:14PublishKeyframeRequest publishStarted@body:15PublishStarted publishEnded@body:16PublishEnded",
} as const;

/** Names of enum values, by number. */
export const publishEnums = {
  PublishEndReason: ["unspecified", "finished", "bad_name", "unknown_stream", "bad_key", "stream_busy", "too_many_publishers", "shutting_down", "taken_over", "removed", "silent", "limit", "unsupported", "malformed", "already_publishing", "closed", "too_many_attempts", "internal", "token_expired"],
} as const;
