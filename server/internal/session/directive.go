package session

import (
	"context"
	"errors"

	"github.com/framewire/framewire/server/internal/wire"
)

// maxDirectives bounds what a player may leave unanswered.
const maxDirectives = 16

var (
	// ErrGone is returned by Direct when the session ends before the answer.
	ErrGone = errors.New("session ended")
	// ErrUnanswered is returned by Direct when the player has left too many
	// directives without an answer.
	ErrUnanswered = errors.New("the player does not answer directives")
	// ErrNotReady is returned by Direct before the handshake.
	ErrNotReady = errors.New("the session is not open yet")
)

// Direct asks the player to do something, and returns when it has answered: nil,
// or with a *wire.Error why not.
func (v *Viewer) Direct(ctx context.Context, body wire.DirectiveBody) error {
	answer := make(chan *wire.Error, 1)
	id, err := v.direct(body, answer)
	if err != nil {
		return err
	}
	select {
	case refusal, ok := <-answer:
		switch {
		case !ok:
			return ErrGone
		case refusal != nil:
			return refusal
		default:
			return nil
		}
	case <-ctx.Done():
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.directives, id)
		return ctx.Err()
	}
}

func (v *Viewer) direct(body wire.DirectiveBody, answer chan<- *wire.Error) (uint32, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.goodbye != nil || v.left:
		return 0, ErrGone
	case v.hello == nil:
		return 0, ErrNotReady
	case len(v.directives) >= maxDirectives || v.queue.full():
		return 0, ErrUnanswered
	}
	v.directive++
	if v.directives == nil {
		v.directives = make(map[uint32]chan<- *wire.Error)
	}
	v.directives[v.directive] = answer
	v.send(wire.Directive{ID: v.directive, Body: body})
	return v.directive, nil
}
