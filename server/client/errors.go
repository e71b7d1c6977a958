package client

import (
	"errors"
	"fmt"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
)

// ErrClosed is returned once Close has been called.
var ErrClosed = errors.New("session closed")

// CommandError is a command's refusal by the server.
type CommandError struct {
	Code    framewirev1.ErrorCode
	Message string
	Field   string // path of the wrong field, or empty

	RetryAfter time.Duration // trying again may help then; 0 where it does not
}

func (e *CommandError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s (%v)", e.Message, e.Code)
	}
	return fmt.Sprintf("%s: %s (%v)", e.Field, e.Message, e.Code)
}

// GoodbyeError says why the server ended the session.
type GoodbyeError struct {
	Reason     framewirev1.GoodbyeReason
	RetryAfter time.Duration // come back no sooner
	Message    string
}

func (e *GoodbyeError) Error() string { return fmt.Sprintf("%s (%v)", e.Message, e.Reason) }

func commandError(e *framewirev1.Error) error {
	return &CommandError{
		Code: e.GetCode(), Message: e.GetMessage(), Field: e.GetField(),
		RetryAfter: time.Duration(e.GetRetryAfterMs()) * time.Millisecond,
	}
}
