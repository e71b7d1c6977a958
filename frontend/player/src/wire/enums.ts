// Made by scripts/wire-tables.mjs from the schema. Do not edit.

/** Names of enum values, by number. */
export const enums = {
  Degradation: ["unspecified", "none", "keyframes_only", "audio_only"],
  ErrorCode: ["unspecified", "invalid_argument", "malformed_message", "message_too_large", "wrong_frame_type", "hello_required", "already_welcome", "not_playing", "out_of_window", "unknown_track", "unsupported", "too_many_commands", "permission_denied", "overloaded", "internal", "not_live"],
  GapReason: ["unspecified", "too_slow", "left_window", "source_interrupted", "resumed"],
  GoodbyeReason: ["unspecified", "client_left", "shutting_down", "restarting", "too_slow", "idle", "handshake_timeout", "unsupported_version", "protocol_error", "message_too_large", "overloaded", "unauthorized", "token_expired", "kicked", "internal", "origin_refused"],
  Playback: ["unspecified", "stopped", "waiting", "playing", "paused"],
  PlayerState: ["unspecified", "buffering", "playing", "paused", "blocked", "failed"],
  StreamEndReason: ["unspecified", "stopped", "switched", "finished", "removed"],
  StreamStatus: ["unspecified", "starting", "live", "offline"],
  TrackKind: ["unspecified", "video", "audio"],
  WaitingReason: ["unspecified", "unknown_stream", "starting", "source_lost", "no_publisher", "nothing_decodable"],
} as const;
