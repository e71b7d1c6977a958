package load

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// Bounds and defaults of Options. A load generator is a tool that can do harm:
// it ends by itself, and does not grow beyond what one machine can hold.
const (
	MaxViewers      = 100_000
	MaxDuration     = 24 * time.Hour
	MaxRate         = 10_000
	DefaultRate     = 500
	DefaultDuration = 30 * time.Second
	DefaultTimeout  = 10 * time.Second

	// MaxReadEvery keeps what waits to be read far below a socket's buffer.
	MaxReadEvery = 200 * time.Millisecond
)

// Options say what to do.
type Options struct {
	// URL is the server's endpoint with the stream to play, such as
	// ws://localhost:8080/ws?stream=demo.
	URL string

	// Viewers is how many join.
	Viewers int

	// Duration is how long to measure once all have joined. Default 30 s.
	Duration time.Duration

	// Rate is how many join in a second. Default 500.
	Rate float64

	// Timeout bounds one viewer's way from dialling to Welcome. Default 10 s.
	Timeout time.Duration

	// Stall is the share of viewers, from 0 to 1, who stop reading for StallFor
	// at some moment of the measurement. StallFor is by default a third of
	// Duration.
	Stall    float64
	StallFor time.Duration

	// Throttle bounds how many bytes a second the viewers of ThrottleShare (by
	// default all) read. 0: no bound.
	Throttle      int
	ThrottleShare float64

	// Token is an access token.
	Token string

	// SameClock skips the measurement of the clock offset: server and loader run
	// on one machine.
	SameClock bool

	// ReadEvery is how often a viewer who is not slow reads what has come, up to
	// MaxReadEvery. Where 0, it reads at once, and is woken for each message: with
	// thousands of viewers on the server's own machine that takes more of it than
	// they would elsewhere. When data came the kernel notes, so that delays are
	// the same; on systems other than Linux it is not heeded.
	ReadEvery time.Duration

	// Progress is told how it goes, about twice a second. Nil: nobody.
	Progress func(Progress)

	// Phase is called when joining is over and measuring begins, and again when
	// measuring ends, before viewers leave. Nil: nothing is.
	Phase func(measuring bool)
}

// ErrInvalid is wrapped by errors about Options.
var ErrInvalid = errors.New("invalid options")

func (o Options) check() (Options, *url.URL, error) {
	bad := func(format string, args ...any) (Options, *url.URL, error) {
		return o, nil, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
	}
	o.Duration = cmp.Or(o.Duration, DefaultDuration)
	o.Rate = cmp.Or(o.Rate, DefaultRate)
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.StallFor = cmp.Or(o.StallFor, o.Duration/3)
	o.ThrottleShare = cmp.Or(o.ThrottleShare, 1)
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return bad("URL: %v", err)
	case u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "":
		return bad("URL %q: want ws://HOST/ws?stream=NAME or wss://...", o.URL)
	case u.Query().Get("stream") == "":
		return bad("URL %q names no stream: add ?stream=NAME", o.URL)
	case o.Viewers < 1 || o.Viewers > MaxViewers:
		return bad("%d viewers: want 1 to %d", o.Viewers, MaxViewers)
	case o.Duration < time.Second || o.Duration > MaxDuration:
		return bad("a duration of %v: want 1s to %v", o.Duration, MaxDuration)
	case o.Rate <= 0 || o.Rate > MaxRate:
		return bad("%v joins a second: want more than 0, at most %d", o.Rate, MaxRate)
	case o.Timeout < 0:
		return bad("timeout %v", o.Timeout)
	case o.Stall < 0 || o.Stall > 1 || o.ThrottleShare < 0 || o.ThrottleShare > 1:
		return bad("shares of viewers have to be from 0 to 1")
	case o.StallFor < 0 || o.StallFor > o.Duration:
		return bad("stalls of %v do not fit into %v", o.StallFor, o.Duration)
	case o.ReadEvery < 0 || o.ReadEvery > MaxReadEvery:
		return bad("reading every %v: want 0 to %v", o.ReadEvery, MaxReadEvery)
	case o.Throttle < 0:
		return bad("throttle of %d bytes a second", o.Throttle)
	}
	return o, u, nil
}

// hostPort is what to dial for u.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "wss" {
			port = "443"
		}
	}
	return net.JoinHostPort(strings.Trim(u.Hostname(), "[]"), port)
}
