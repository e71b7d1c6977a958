// Package publishtest is a desk for the tests of publishers' protocols: it lets
// publishers in by a key, keeps what they publish, and fails the test when they
// break the contract of package publish.
package publishtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
)

// awaitLimit is how long a condition may take to become true. Real publishers
// take seconds to start on a busy machine.
const awaitLimit = 60 * time.Second

// Desk implements publish.Desk. Streams named "unknown" do not exist; one that
// has a publisher is busy.
type Desk struct {
	t   testing.TB
	key string

	mu     sync.Mutex
	opened []*Publication // guarded by mu
	news   chan struct{}  // closed and replaced when opened grows; guarded by mu
}

// NewDesk returns a desk that wants the given key, or none when it is empty.
func NewDesk(t testing.TB, key string) *Desk {
	return &Desk{t: t, key: key, news: make(chan struct{})}
}

// Open implements publish.Desk.
func (d *Desk) Open(_ context.Context, r publish.Request) (publish.Publication, error) {
	switch {
	case media.CheckStreamName(r.Stream) != nil:
		return nil, publish.ErrBadName
	case r.Key != d.key:
		return nil, publish.ErrBadKey
	case r.Stream == "unknown":
		return nil, publish.ErrUnknownStream
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.opened {
		if p.Request.Stream == r.Stream && !p.Closed() {
			return nil, publish.ErrStreamBusy
		}
	}
	p := &Publication{
		Request: r, t: d.t, key: d.key, done: make(chan struct{}), closed: make(chan struct{}), news: make(chan struct{}),
	}
	d.opened = append(d.opened, p)
	close(d.news)
	d.news = make(chan struct{})
	return p, nil
}

// Await returns the n-th publication that was opened, counting from 0.
func (d *Desk) Await(n int) *Publication {
	d.t.Helper()
	limit := time.After(awaitLimit)
	for {
		d.mu.Lock()
		news := d.news
		if n < len(d.opened) {
			defer d.mu.Unlock()
			return d.opened[n]
		}
		d.mu.Unlock()
		select {
		case <-news:
		case <-limit:
			d.t.Fatalf("no publisher came within %v", awaitLimit)
		}
	}
}

// Count is the number of publications opened so far.
func (d *Desk) Count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.opened)
}

// Epoch is what was published after one Start.
type Epoch struct {
	Tracks  []media.Track
	Samples []Sample
}

// Sample is a sample and when it was written.
type Sample struct {
	media.Sample
	Written time.Time
}

// Of returns the samples of one kind.
func (e *Epoch) Of(kind media.Kind) []Sample {
	var list []Sample
	for _, s := range e.Samples {
		if t := e.track(s.TrackID); t != nil && t.Kind() == kind {
			list = append(list, s)
		}
	}
	return list
}

// Track returns the first track of a kind, or nil.
func (e *Epoch) Track(kind media.Kind) *media.Track {
	for i := range e.Tracks {
		if e.Tracks[i].Kind() == kind {
			return &e.Tracks[i]
		}
	}
	return nil
}

func (e *Epoch) track(id uint32) *media.Track {
	for i := range e.Tracks {
		if e.Tracks[i].ID == id {
			return &e.Tracks[i]
		}
	}
	return nil
}

// Publication implements publish.Publication.
type Publication struct {
	Request publish.Request

	t      testing.TB
	key    string // that renews it
	done   chan struct{}
	closed chan struct{}

	mu     sync.Mutex
	epochs []Epoch       // guarded by mu
	news   chan struct{} // closed and replaced on every call; guarded by mu
	err    error         // guarded by mu
	reason error         // guarded by mu
}

func (p *Publication) tell() {
	close(p.news)
	p.news = make(chan struct{})
}

// Start implements media.Sink.
func (p *Publication) Start(tracks []media.Track) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.tell()
	if p.Closed() {
		p.t.Errorf("Start after Close")
	}
	if len(tracks) == 0 {
		p.t.Errorf("Start without tracks")
	}
	for _, t := range tracks {
		if t.ID == 0 || t.Timescale == 0 || t.Codec == 0 || t.CodecString == "" {
			p.t.Errorf("Start: incomplete track %+v", t)
		}
	}
	p.epochs = append(p.epochs, Epoch{Tracks: slices.Clone(tracks)})
	return nil
}

// Write implements media.Sink.
func (p *Publication) Write(s media.Sample) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.tell()
	if p.Closed() {
		p.t.Errorf("Write after Close")
	}
	if len(p.epochs) == 0 {
		p.t.Errorf("Write before Start")
		return publish.ErrMalformed
	}
	e := &p.epochs[len(p.epochs)-1]
	if err := e.check(&s); err != nil {
		p.t.Errorf("Write: %v", err)
		return publish.ErrMalformed
	}
	e.Samples = append(e.Samples, Sample{s, time.Now()})
	return nil
}

func (e *Epoch) check(s *media.Sample) error {
	track := e.track(s.TrackID)
	switch {
	case track == nil:
		return fmt.Errorf("sample of track %d, which was not announced", s.TrackID)
	case len(s.Data) == 0:
		return fmt.Errorf("empty sample of %v", track.Codec)
	}
	for i := len(e.Samples) - 1; i >= 0; i-- {
		before := &e.Samples[i]
		if before.TrackID != s.TrackID {
			continue
		}
		if s.DTS <= before.DTS {
			return fmt.Errorf("%v: DTS %d after %d", track.Codec, s.DTS, before.DTS)
		}
		return nil
	}
	if !s.Keyframe {
		return fmt.Errorf("%v: the first sample is no keyframe", track.Codec)
	}
	return nil
}

// Close implements publish.Publication.
func (p *Publication) Close(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.tell()
	if p.Closed() {
		p.t.Errorf("Close called twice")
		return
	}
	p.err = err
	close(p.closed)
}

// Renew implements publish.Publication: the key of the desk is as good as a token.
func (p *Publication) Renew(_ context.Context, token string) error {
	if token != p.key {
		return publish.ErrBadKey
	}
	return nil
}

// Done implements publish.Publication.
func (p *Publication) Done() <-chan struct{} { return p.done }

// Reason implements publish.Publication.
func (p *Publication) Reason() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason
}

// End tells the publisher to go.
func (p *Publication) End(reason error) {
	p.mu.Lock()
	p.reason = reason
	p.mu.Unlock()
	close(p.done)
}

// Closed reports whether the publication was closed.
func (p *Publication) Closed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

// AwaitClose waits for the end and returns its error.
func (p *Publication) AwaitClose() error {
	p.t.Helper()
	select {
	case <-p.closed:
	case <-time.After(awaitLimit):
		p.t.Fatalf("the publication was not closed within %v", awaitLimit)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Await waits until what was published meets a condition, and returns it.
func (p *Publication) Await(what string, met func(epochs []Epoch) bool) []Epoch {
	p.t.Helper()
	limit := time.After(awaitLimit)
	for {
		p.mu.Lock()
		news, epochs := p.news, p.snapshot()
		p.mu.Unlock()
		if met(epochs) {
			return epochs
		}
		select {
		case <-news:
		case <-p.closed:
			if epochs = p.Epochs(); !met(epochs) {
				p.t.Fatalf("the publication was closed before %s: %v", what, p.AwaitClose())
			}
			return epochs
		case <-limit:
			p.t.Fatalf("within %v not %s; published: %s", awaitLimit, what, describe(epochs))
		}
	}
}

// Epochs returns what was published so far.
func (p *Publication) Epochs() []Epoch {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.snapshot()
}

func (p *Publication) snapshot() []Epoch {
	epochs := slices.Clone(p.epochs)
	for i := range epochs {
		epochs[i].Samples = epochs[i].Samples[:len(epochs[i].Samples):len(epochs[i].Samples)]
	}
	return epochs
}

func describe(epochs []Epoch) string {
	text := fmt.Sprintf("%d epochs", len(epochs))
	for i := range epochs {
		text += fmt.Sprintf("; %d video and %d audio samples", len(epochs[i].Of(media.Video)), len(epochs[i].Of(media.Audio)))
	}
	return text
}

// Frames is a condition for Await: so many pictures and sounds in the newest
// epoch.
func Frames(video, audio int) func([]Epoch) bool {
	return func(epochs []Epoch) bool {
		if len(epochs) == 0 {
			return false
		}
		e := &epochs[len(epochs)-1]
		return len(e.Of(media.Video)) >= video && len(e.Of(media.Audio)) >= audio
	}
}
