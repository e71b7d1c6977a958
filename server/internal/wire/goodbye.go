package wire

import pb "github.com/framewire/framewire/gen/go/framewire/v1"

// GoodbyeReason says why a session ended.
type GoodbyeReason = pb.GoodbyeReason

// The reasons of Goodbye.
const (
	ClientLeft           = pb.GoodbyeReason_GOODBYE_REASON_CLIENT_LEFT
	ShuttingDown         = pb.GoodbyeReason_GOODBYE_REASON_SHUTTING_DOWN
	Restarting           = pb.GoodbyeReason_GOODBYE_REASON_RESTARTING
	TooSlow              = pb.GoodbyeReason_GOODBYE_REASON_TOO_SLOW
	Idle                 = pb.GoodbyeReason_GOODBYE_REASON_IDLE
	HandshakeTimeout     = pb.GoodbyeReason_GOODBYE_REASON_HANDSHAKE_TIMEOUT
	UnsupportedVersion   = pb.GoodbyeReason_GOODBYE_REASON_UNSUPPORTED_VERSION
	ProtocolError        = pb.GoodbyeReason_GOODBYE_REASON_PROTOCOL_ERROR
	GoodbyeTooLarge      = pb.GoodbyeReason_GOODBYE_REASON_MESSAGE_TOO_LARGE
	GoodbyeOverloaded    = pb.GoodbyeReason_GOODBYE_REASON_OVERLOADED
	GoodbyeUnauthorized  = pb.GoodbyeReason_GOODBYE_REASON_UNAUTHORIZED
	GoodbyeTokenExpired  = pb.GoodbyeReason_GOODBYE_REASON_TOKEN_EXPIRED
	GoodbyeKicked        = pb.GoodbyeReason_GOODBYE_REASON_KICKED
	GoodbyeOriginRefused = pb.GoodbyeReason_GOODBYE_REASON_ORIGIN_REFUSED
	GoodbyeInternalError = pb.GoodbyeReason_GOODBYE_REASON_INTERNAL
)

// closeCodes are the WebSocket close codes that the schema names beside each
// reason (RFC 6455 7.4 below 4000).
var closeCodes = map[GoodbyeReason]int{
	ClientLeft:           1000,
	ShuttingDown:         1001,
	Restarting:           1012,
	TooSlow:              4001,
	Idle:                 4002,
	HandshakeTimeout:     4003,
	UnsupportedVersion:   4004,
	ProtocolError:        1002,
	GoodbyeTooLarge:      1009,
	GoodbyeOverloaded:    1013,
	GoodbyeUnauthorized:  4005,
	GoodbyeTokenExpired:  4006,
	GoodbyeKicked:        4007,
	GoodbyeOriginRefused: 4008,
	GoodbyeInternalError: 1011,
}

// CloseCode returns the WebSocket close code that goes with a reason.
func CloseCode(reason GoodbyeReason) int {
	if code, ok := closeCodes[reason]; ok {
		return code
	}
	return closeCodes[GoodbyeInternalError]
}
