package whip

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/framewire/framewire/server/internal/media"
)

func readOffer(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), "\n", "\r\n")
}

func TestOfferOfBrowser(t *testing.T) {
	o, err := parseOffer([]byte(readOffer(t, "offer.sdp")))
	if err != nil {
		t.Fatal(err)
	}
	if len(o.sections) != 2 || o.sections[0].kind != media.Audio || o.sections[1].kind != media.Video {
		t.Fatalf("sections %+v", o.sections)
	}
	if o.sections[1].ssrc != 2222 {
		t.Errorf("video comes from source %d; that of the retransmissions is not it", o.sections[1].ssrc)
	}
	var got []string
	for _, f := range o.sections[1].formats {
		got = append(got, f.codec.String()+" "+f.fmtp)
	}
	want := []string{
		"VP9 profile-id=0",
		"VP9 profile-id=2",
		"H.264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=420034",
		"H.264 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e034",
		"H.264 packetization-mode=0;profile-level-id=64001f",
		"AV1 profile=0;level-idx=5;tier=0",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("formats\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	audio := o.sections[0].formats
	if len(audio) != 1 || audio[0].fmtp != "minptime=10;stereo=1" || !audio[0].can("transport-cc") || audio[0].can("nack") {
		t.Errorf("audio %+v", audio)
	}
}

// offers are SDP that cannot be answered, made from a good one.
var offers = []struct {
	name, from, to string
	want           error
}{
	{"no bundle", "a=group:BUNDLE 0 1", "a=x", errUnacceptable},
	{"bundle without video", "a=group:BUNDLE 0 1", "a=group:BUNDLE 0", errUnacceptable},
	{"no fingerprint", "a=fingerprint:sha-256 ", "a=x:", errMalformed},
	{"line break in fingerprint", "a=fingerprint:sha-256 12", "a=fingerprint:sha-256 \x0012", errMalformed},
	{"no ufrag", "a=ice-ufrag:", "a=x:", errMalformed},
	{"short password", "a=ice-pwd:4ZcD", "a=ice-pwd:4\r\na=x:", errMalformed},
	{"no mid", "a=mid:1", "a=x", errMalformed},
	{"same mid", "a=mid:1", "a=mid:0", errMalformed},
	{"plain RTP", "UDP/TLS/RTP/SAVPF", "RTP/AVP", errUnacceptable},
	{"lite publisher", "t=0 0", "t=0 0\r\na=ice-lite", errUnacceptable},
	{"payload type 128", "SAVPF 111", "SAVPF 128", errMalformed},
	{"no Opus", "opus/48000/2", "PCMU/8000", errUnacceptable},
	{"two audio", "m=video", "m=audio", errUnacceptable},
}

func TestOffersThatCannotBeAnswered(t *testing.T) {
	good := readOffer(t, "offer.sdp")
	for _, c := range offers {
		text := strings.ReplaceAll(good, c.from, c.to)
		if text == good {
			t.Fatalf("%s: the offer lacks %q", c.name, c.from)
		}
		if _, err := parseOffer([]byte(text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// FuzzOffer checks that whatever is accepted comes back the same from what is
// written of it, and that the WebRTC stack takes that.
func FuzzOffer(f *testing.F) {
	good := readOffer(f, "offer.sdp")
	f.Add(good)
	for _, c := range offers {
		f.Add(strings.ReplaceAll(good, c.from, c.to))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxOffer {
			return
		}
		o, err := parseOffer([]byte(text))
		if err != nil {
			if !errors.Is(err, errMalformed) && !errors.Is(err, errUnacceptable) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		written := o.write(1)
		again, err := parseOffer([]byte(written))
		if err != nil {
			t.Fatalf("what was written is not accepted: %v\n%s", err, written)
		}
		if len(again.sections) != len(o.sections) || again.ufrag != o.ufrag || again.fingerprint != o.fingerprint {
			t.Fatalf("%+v became %+v", o, again)
		}
		description := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: written}
		if _, err := description.Unmarshal(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzFragment(f *testing.F) {
	f.Add("a=ice-ufrag:ABCD\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=end-of-candidates\r\n")
	f.Add("a=candidate:1 1 udp 1 10.0.0.1 5 typ host\n")
	f.Add("hello")
	f.Fuzz(func(t *testing.T, text string) {
		fragment, err := parseFragment(text)
		if err != nil {
			if !errors.Is(err, errMalformed) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		if fragment.ufrag != "" && !isToken(fragment.ufrag+fragment.password, "+/") && len(fragment.password) <= maxToken/2 {
			t.Fatalf("accepted %+v", fragment)
		}
	})
}
