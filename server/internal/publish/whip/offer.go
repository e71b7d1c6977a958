package whip

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/framewire/framewire/server/internal/media"
)

var (
	// errMalformed: what was sent is not the SDP it should be.
	errMalformed = errors.New("malformed SDP")
	// errUnacceptable: the offer is understood and cannot be answered.
	errUnacceptable = errors.New("the offer cannot be accepted")
)

const (
	// maxFormats bounds the payload types of a section: RTP has 128.
	maxFormats = 128

	// maxToken bounds ufrag and password (RFC 8839 5.4) and mid.
	maxToken = 256
)

// offer is what counts of a publisher's SDP offer. The WebRTC stack is not given
// the offer itself but one written anew from this.
type offer struct {
	ufrag, password string
	fingerprint     string // algorithm and digest
	setup           string
	sections        []section
}

// section is a media description: one track.
type section struct {
	kind       media.Kind
	mid        string
	formats    []format // in the publisher's order
	ssrc       uint32   // 0 when not told
	extensions []extension
}

// extension is a header extension of RTP that is used.
type extension struct {
	id  int
	uri string
}

// parseOffer checks an offer. Errors are errMalformed or errUnacceptable.
func parseOffer(body []byte) (*offer, error) {
	var d sdp.SessionDescription
	if err := d.Unmarshal(body); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	o := &offer{}
	for _, m := range d.MediaDescriptions {
		s, err := parseSection(&d, m)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(o.sections, func(other section) bool { return other.kind == s.kind }) {
			return nil, fmt.Errorf("%w: more than one track of %v", errUnacceptable, s.kind)
		}
		if slices.ContainsFunc(o.sections, func(other section) bool { return other.mid == s.mid }) {
			return nil, fmt.Errorf("%w: two sections have mid %q", errMalformed, s.mid)
		}
		o.sections = append(o.sections, s)
	}
	if len(o.sections) == 0 {
		return nil, fmt.Errorf("%w: it has neither video nor audio", errUnacceptable)
	}
	return o, o.parseTransport(&d)
}

// parseTransport takes what all sections have in common, since they are bundled.
func (o *offer) parseTransport(d *sdp.SessionDescription) error {
	first := d.MediaDescriptions[0]
	o.ufrag = attribute(d, first, "ice-ufrag")
	o.password = attribute(d, first, "ice-pwd")
	if err := checkCredentials(o.ufrag, o.password); err != nil {
		return err
	}
	if attribute(d, nil, "ice-lite") != "" || has(d.Attributes, "ice-lite") {
		return fmt.Errorf("%w: an ICE-lite publisher, of which the server is one itself", errUnacceptable)
	}
	o.fingerprint = attribute(d, first, "fingerprint")
	algorithm, digest, _ := strings.Cut(o.fingerprint, " ")
	if !isToken(algorithm, "-") || !isToken(digest, ":") {
		return fmt.Errorf("%w: fingerprint %q", errMalformed, o.fingerprint)
	}
	switch o.setup = attribute(d, first, "setup"); o.setup {
	case "actpass", "active":
	case "":
		o.setup = "actpass"
	default:
		return fmt.Errorf("%w: setup is %q, and the server is always passive", errUnacceptable, o.setup)
	}
	if len(o.sections) == 1 {
		return nil
	}
	for _, group := range d.Attributes {
		mids := strings.Fields(group.Value)
		if group.Key != "group" || len(mids) == 0 || mids[0] != "BUNDLE" {
			continue
		}
		if !slices.ContainsFunc(o.sections, func(s section) bool { return !slices.Contains(mids[1:], s.mid) }) {
			return nil
		}
	}
	return fmt.Errorf("%w: audio and video are not bundled", errUnacceptable)
}

func checkCredentials(ufrag, password string) error {
	const shortestUfrag, shortestPassword = 4, 22 // RFC 8839 5.4
	if len(ufrag) < shortestUfrag || !isToken(ufrag, "+/") {
		return fmt.Errorf("%w: ice-ufrag %q", errMalformed, ufrag)
	}
	if len(password) < shortestPassword || !isToken(password, "+/") {
		return fmt.Errorf("%w: ice-pwd of %d characters", errMalformed, len(password))
	}
	return nil
}

func parseSection(d *sdp.SessionDescription, m *sdp.MediaDescription) (section, error) {
	s := section{}
	switch m.MediaName.Media {
	case "video":
		s.kind = media.Video
	case "audio":
		s.kind = media.Audio
	default:
		return s, fmt.Errorf("%w: a section of %q", errUnacceptable, m.MediaName.Media)
	}
	if protos := strings.Join(m.MediaName.Protos, "/"); protos != "UDP/TLS/RTP/SAVPF" {
		return s, fmt.Errorf("%w: transport %q of %v", errUnacceptable, protos, s.kind)
	}
	if has(m.Attributes, "recvonly") || has(m.Attributes, "inactive") {
		return s, fmt.Errorf("%w: the publisher does not send %v", errUnacceptable, s.kind)
	}
	if s.mid, _ = m.Attribute("mid"); !isToken(s.mid, "-_.") {
		return s, fmt.Errorf("%w: mid %q of %v", errMalformed, s.mid, s.kind)
	}
	s.ssrc = primarySSRC(m)
	s.extensions = parseExtensions(m)
	var refused []string
	if len(m.MediaName.Formats) > maxFormats {
		return s, fmt.Errorf("%w: %d formats of %v", errMalformed, len(m.MediaName.Formats), s.kind)
	}
	for _, id := range m.MediaName.Formats {
		f, name, err := parseFormat(m, id)
		switch {
		case err != nil:
			return s, err
		case f.codec.Kind() == s.kind:
			s.formats = append(s.formats, f)
		case name != "" && !slices.Contains(refused, name):
			refused = append(refused, name)
		}
	}
	if len(s.formats) == 0 {
		return s, fmt.Errorf("%w: %v is offered in %s only; %s", errUnacceptable,
			s.kind, strings.Join(refused, ", "), wanted[s.kind])
	}
	return s, nil
}

// wanted says what a publisher may send.
var wanted = map[media.Kind]string{
	media.Video: "it has to be H.264, VP9 or AV1, of the profiles that browsers play in MP4",
	media.Audio: "it has to be Opus",
}

// primarySSRC returns the source that is not a retransmission of another.
func primarySSRC(m *sdp.MediaDescription) uint32 {
	var repairs []string
	for _, a := range m.Attributes {
		if fields := strings.Fields(a.Value); a.Key == "ssrc-group" && len(fields) == 3 && fields[0] != "SIM" {
			repairs = append(repairs, fields[2])
		}
	}
	for _, a := range m.Attributes {
		id, _, _ := strings.Cut(a.Value, " ")
		if a.Key != "ssrc" || slices.Contains(repairs, id) {
			continue
		}
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			return uint32(n)
		}
	}
	return 0
}

// parseExtensions returns those that are used: the one that names the section of
// a packet, and the one that congestion feedback counts packets by.
func parseExtensions(m *sdp.MediaDescription) []extension {
	const last = 14 // of the one-byte form, RFC 8285 4.2
	var list []extension
	for _, a := range m.Attributes {
		fields := strings.Fields(a.Value)
		if a.Key != "extmap" || len(fields) < 2 || fields[1] != sdp.SDESMidURI && fields[1] != sdp.TransportCCURI {
			continue
		}
		number, _, _ := strings.Cut(fields[0], "/")
		if id, err := strconv.Atoi(number); err == nil && id >= 1 && id <= last {
			list = append(list, extension{id, fields[1]})
		}
	}
	return list
}

// write returns the offer for the WebRTC stack. The version grows with every
// offer of a session.
func (o *offer) write(version int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "v=0\r\no=- 1 %d IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE", version)
	for i := range o.sections {
		fmt.Fprintf(&b, " %s", o.sections[i].mid)
	}
	fmt.Fprintf(&b, "\r\na=fingerprint:%s\r\n", o.fingerprint)
	for i := range o.sections {
		o.writeSection(&b, &o.sections[i])
	}
	return b.String()
}

func (o *offer) writeSection(b *strings.Builder, s *section) {
	fmt.Fprintf(b, "m=%v 9 UDP/TLS/RTP/SAVPF", s.kind)
	for _, f := range s.formats {
		fmt.Fprintf(b, " %d", f.payloadType)
	}
	fmt.Fprintf(b, "\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=setup:%s\r\n", o.ufrag, o.password, o.setup)
	fmt.Fprintf(b, "a=mid:%s\r\na=sendonly\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=msid:publisher %v\r\n", s.mid, s.kind)
	for _, e := range s.extensions {
		fmt.Fprintf(b, "a=extmap:%d %s\r\n", e.id, e.uri)
	}
	for _, f := range s.formats {
		f.write(b)
	}
	if s.ssrc != 0 {
		fmt.Fprintf(b, "a=ssrc:%d cname:publisher\r\n", s.ssrc)
	}
}

// attribute returns an attribute of the section or, failing that, of the session.
func attribute(d *sdp.SessionDescription, m *sdp.MediaDescription, key string) string {
	if m != nil {
		if value, ok := m.Attribute(key); ok {
			return value
		}
	}
	value, _ := d.Attribute(key)
	return value
}

func has(attributes []sdp.Attribute, key string) bool {
	return slices.ContainsFunc(attributes, func(a sdp.Attribute) bool { return a.Key == key })
}

// isToken reports whether s consists of letters, digits and the characters of
// more, and is neither empty nor too long.
func isToken(s, more string) bool {
	for _, c := range s {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(more, c) {
			continue
		}
		return false
	}
	return s != "" && len(s) <= maxToken
}
