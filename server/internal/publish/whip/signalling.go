package whip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/framewire/framewire/server/internal/media"
)

// errNoMatch: the entity tag is that of another ICE session.
var errNoMatch = errors.New("the ICE session is another by now")

// signalling is the state of offer and answer. Its offer's sections do not change.
type signalling struct {
	offer *offer

	mu      sync.Mutex
	version int    // guarded by mu
	tag     string // the ICE session's, quoted; guarded by mu
}

// newConnection returns a connection that takes the formats of the offer.
func newConnection(engine webrtc.SettingEngine, o *offer) (*webrtc.PeerConnection, error) {
	var codecs webrtc.MediaEngine
	var interceptors interceptor.Registry
	log := engine.LoggerFactory
	for i := range o.sections {
		kind := webrtc.RTPCodecTypeVideo
		if o.sections[i].kind == media.Audio {
			kind = webrtc.RTPCodecTypeAudio
		}
		for _, f := range o.sections[i].formats {
			if err := codecs.RegisterCodec(f.parameters(), kind); err != nil {
				return nil, fmt.Errorf("register payload type %d: %w", f.payloadType, err)
			}
		}
		extension := webrtc.RTPHeaderExtensionCapability{URI: sdp.SDESMidURI}
		if err := codecs.RegisterHeaderExtension(extension, kind); err != nil {
			return nil, fmt.Errorf("register mid extension: %w", err)
		}
	}
	if err := webrtc.ConfigureRTCPReportsWithOptions(&interceptors,
		[]report.ReceiverOption{report.WithReceiverLoggerFactory(log)}); err != nil {
		return nil, fmt.Errorf("configure receiver reports: %w", err)
	}
	if err := webrtc.ConfigureTWCCSenderWithOptions(&codecs, &interceptors, twcc.WithLoggerFactory(log)); err != nil {
		return nil, fmt.Errorf("configure congestion feedback: %w", err)
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(&codecs), webrtc.WithSettingEngine(engine),
		webrtc.WithInterceptorRegistry(&interceptors))
	return api.NewPeerConnection(webrtc.Configuration{})
}

// answer hands the present offer to the connection, and returns the answer with
// all candidates, and a new entity tag. mu must be held.
func (g *signalling) answer(ctx context.Context, connection *webrtc.PeerConnection) (text, tag string, err error) {
	g.version++
	err = connection.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: g.offer.write(g.version)})
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", errUnacceptable, err)
	}
	answer, err := connection.CreateAnswer(nil)
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", errUnacceptable, err)
	}
	gathered := webrtc.GatheringCompletePromise(connection)
	if err := connection.SetLocalDescription(answer); err != nil {
		return "", "", fmt.Errorf("set answer: %w", err)
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return "", "", fmt.Errorf("gather candidates: %w", context.Cause(ctx))
	}
	g.tag = `"` + rand.Text() + `"`
	return connection.LocalDescription().SDP, g.tag, nil
}

// patch applies a fragment (RFC 9725 4.3). match is the entity tag that the
// publisher knows, or "*". It returns the fragment and tag to answer with after
// an ICE restart, and empty ones otherwise.
func (g *signalling) patch(ctx context.Context, connection *webrtc.PeerConnection, f fragment, match string) (text, tag string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if match != "*" && match != g.tag {
		return "", "", errNoMatch
	}
	if match != "*" || f.ufrag == "" || f.ufrag == g.offer.ufrag && f.password == g.offer.password {
		return "", "", nil // candidates, which a lite agent has no use for
	}
	before := *g.offer
	g.offer.ufrag, g.offer.password = f.ufrag, f.password
	answer, tag, err := g.answer(ctx, connection)
	if err != nil {
		*g.offer = before
		return "", "", err
	}
	return writeFragment(answer), tag, nil
}

// fragment is what counts of an SDP fragment (RFC 8840 9).
type fragment struct {
	ufrag, password string
}

// parseFragment reads a fragment. Errors are errMalformed.
func parseFragment(body string) (fragment, error) {
	var f fragment
	for number, line := range strings.Split(strings.ReplaceAll(body, "\r\n", "\n"), "\n") {
		if line == "" {
			continue
		}
		if len(line) < 2 || line[1] != '=' {
			return f, fmt.Errorf("%w: line %d is none of SDP", errMalformed, number+1)
		}
		key, value, _ := strings.Cut(line[2:], ":")
		switch {
		case line[0] != 'a':
		case key == "ice-ufrag":
			f.ufrag = value
		case key == "ice-pwd":
			f.password = value
		}
	}
	if f.ufrag == "" && f.password == "" {
		return f, nil
	}
	return f, checkCredentials(f.ufrag, f.password)
}

// writeFragment returns what an answer says of ICE.
func writeFragment(answer string) string {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer); err != nil || len(d.MediaDescriptions) == 0 {
		return ""
	}
	first := d.MediaDescriptions[0]
	var b strings.Builder
	b.WriteString("a=ice-lite\r\n")
	for _, key := range []string{"ice-ufrag", "ice-pwd"} {
		fmt.Fprintf(&b, "a=%s:%s\r\n", key, attribute(&d, first, key))
	}
	fmt.Fprintf(&b, "m=%s 9 RTP/AVP 0\r\na=mid:%s\r\n", first.MediaName.Media, attribute(&d, first, "mid"))
	for _, a := range first.Attributes {
		if a.Key == "candidate" {
			fmt.Fprintf(&b, "a=candidate:%s\r\n", a.Value)
		}
	}
	b.WriteString("a=end-of-candidates\r\n")
	return b.String()
}
