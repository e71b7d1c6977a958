package rtmp

import (
	"errors"
	"fmt"

	"github.com/framewire/framewire/server/internal/flv"
	"github.com/framewire/framewire/server/internal/flv/amf0"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/rtmp/chunk"
)

// The codes by which RTMP tells of states and errors.
const (
	codeConnected   = "NetConnection.Connect.Success"
	codeRejected    = "NetConnection.Connect.Rejected"
	codeCallFailed  = "NetConnection.Call.Failed"
	codePublishing  = "NetStream.Publish.Start"
	codeUnpublished = "NetStream.Unpublish.Success"
	codeBadName     = "NetStream.Publish.BadName"
	codeDenied      = "NetStream.Publish.Denied"
	codeFailed      = "NetStream.Failed"
	codePlayFailed  = "NetStream.Play.Failed"
)

// maxDescription keeps descriptions to what a dialog can show.
const maxDescription = 300

// info is the object that tells of a state or error.
func info(level, code, description string) amf0.Object {
	if len(description) > maxDescription {
		description = description[:maxDescription]
	}
	return amf0.Object{{Name: "level", Value: level}, {Name: "code", Value: code}, {Name: "description", Value: description}}
}

// refusalCodes returns the codes that tell a publisher why it was refused.
//
// BadName is the one that RTMP has for a name that is taken or wrong. librtmp,
// and so OBS, does not know it and tries again for ever, but ends at Denied and
// shows its description. Clients that know BadName have ended by then.
func refusalCodes(err error) []string {
	switch {
	case errors.Is(err, publish.ErrBadName),
		errors.Is(err, publish.ErrUnknownStream),
		errors.Is(err, publish.ErrStreamBusy):
		return []string{codeBadName, codeDenied}
	default:
		return []string{codeDenied}
	}
}

// typed gives an error of the layers below its place among publish's errors.
func typed(err error) error {
	switch {
	case errors.Is(err, flv.ErrUnsupported):
		return fmt.Errorf("%w: %w", publish.ErrUnsupported, err)
	case errors.Is(err, flv.ErrMalformed), errors.Is(err, chunk.ErrMalformed),
		errors.Is(err, chunk.ErrTooLarge), errors.Is(err, amf0.ErrMalformed):
		return fmt.Errorf("%w: %w", publish.ErrMalformed, err)
	default:
		return err
	}
}
