package wire

import (
	"time"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
)

// ErrorCode says what went wrong, for programs. See the schema for what the
// client is to do about each.
type ErrorCode = pb.ErrorCode

// The codes of Error.
const (
	InvalidArgument  = pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT
	MalformedMessage = pb.ErrorCode_ERROR_CODE_MALFORMED_MESSAGE
	MessageTooLarge  = pb.ErrorCode_ERROR_CODE_MESSAGE_TOO_LARGE
	WrongFrameType   = pb.ErrorCode_ERROR_CODE_WRONG_FRAME_TYPE
	HelloRequired    = pb.ErrorCode_ERROR_CODE_HELLO_REQUIRED
	AlreadyWelcome   = pb.ErrorCode_ERROR_CODE_ALREADY_WELCOME
	NotPlaying       = pb.ErrorCode_ERROR_CODE_NOT_PLAYING
	OutOfWindow      = pb.ErrorCode_ERROR_CODE_OUT_OF_WINDOW
	UnknownTrack     = pb.ErrorCode_ERROR_CODE_UNKNOWN_TRACK
	Unsupported      = pb.ErrorCode_ERROR_CODE_UNSUPPORTED
	TooManyCommands  = pb.ErrorCode_ERROR_CODE_TOO_MANY_COMMANDS
	PermissionDenied = pb.ErrorCode_ERROR_CODE_PERMISSION_DENIED
	Overloaded       = pb.ErrorCode_ERROR_CODE_OVERLOADED
	Internal         = pb.ErrorCode_ERROR_CODE_INTERNAL
	NotLive          = pb.ErrorCode_ERROR_CODE_NOT_LIVE
)

// Error refuses a command, or a message that could not be read. It goes to the
// client as it is.
type Error struct {
	Code ErrorCode
	// Message is for people, in English: what is wrong and what would be right.
	Message string
	// Field is the path of the field that is wrong, such as
	// "command.set_volume.volume", or empty.
	Field string
	// RetryAfter is when trying again may help, 0 where it does not or nobody can
	// tell.
	RetryAfter time.Duration
	// Cause is what Is and As look at, or nil. It is not sent.
	Cause error
}

// Unwrap returns Cause.
func (e *Error) Unwrap() error { return e.Cause }

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// DecodeError is what Decode returns: an Error, and the command that it answers.
type DecodeError struct {
	// ID is that of the command, or 0 where the message was not readable that
	// far or is none.
	ID  uint32
	Err *Error

	// Publish is the message, as far as it was right, where it is a publisher's;
	// ID is then that of PublishStart, or 0.
	Publish PublishMessage
}

func (e *DecodeError) Error() string { return e.Err.Error() }
func (e *DecodeError) Unwrap() error { return e.Err }
