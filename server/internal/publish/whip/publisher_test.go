package whip_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/publish/publishtest"
)

const (
	mode1 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
	mode0 = "packetization-mode=0;profile-level-id=42e01f"
)

// publisher sends crafted packets over WebRTC. What it sends, loses and sends
// again is up to the test.
type publisher struct {
	t       *testing.T
	pc      *webrtc.PeerConnection
	video   *webrtc.TrackLocalStaticRTP
	audio   *webrtc.TrackLocalStaticRTP
	session string
	ended   chan struct{} // closed when the connection is

	plis  chan struct{} // capacity 1
	mu    sync.Mutex
	sent  map[uint16]*rtp.Packet // of video; guarded by mu
	nacks int                    // packets asked for again; guarded by mu

	sequence  uint16 // of the next packet of video
	timestamp uint32 // of the next picture
	lose      func(sequence uint16, again bool) bool
}

// newPublisher publishes H.264 with the given parameters, and Opus if asked for.
func newPublisher(t *testing.T, url, fmtp string, withAudio bool) *publisher {
	t.Helper()
	p := &publisher{
		t: t, ended: make(chan struct{}), plis: make(chan struct{}, 1), sent: make(map[uint16]*rtp.Packet),
		sequence: 1000, timestamp: 90000,
		lose: func(uint16, bool) bool { return false },
	}
	p.pc = newPeer(t, fmtp)
	t.Cleanup(func() { _ = p.pc.GracefulClose() })
	p.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateClosed || s == webrtc.PeerConnectionStateFailed {
			p.mu.Lock()
			defer p.mu.Unlock()
			select {
			case <-p.ended:
			default:
				close(p.ended)
			}
		}
	})
	p.video = p.add(webrtc.MimeTypeH264, p.readVideoReports)
	if withAudio {
		p.audio = p.add(webrtc.MimeTypeOpus, func(s *webrtc.RTPSender) {
			for {
				if _, _, err := s.ReadRTCP(); err != nil {
					return
				}
			}
		})
	}
	p.connect(url)
	return p
}

func newPeer(t *testing.T, fmtp string) *webrtc.PeerConnection {
	t.Helper()
	var codecs webrtc.MediaEngine
	for kind, c := range map[webrtc.RTPCodecType]webrtc.RTPCodecParameters{
		webrtc.RTPCodecTypeVideo: {PayloadType: 102, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: fmtp,
			RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}},
		}},
		webrtc.RTPCodecTypeAudio: {PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
		}},
	} {
		if err := codecs.RegisterCodec(c, kind); err != nil {
			t.Fatal(err)
		}
	}
	var engine webrtc.SettingEngine
	engine.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(&codecs), webrtc.WithSettingEngine(engine)).
		NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

func (p *publisher) add(mime string, read func(*webrtc.RTPSender)) *webrtc.TrackLocalStaticRTP {
	p.t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, mime, "test")
	if err != nil {
		p.t.Fatal(err)
	}
	sender, err := p.pc.AddTrack(track)
	if err != nil {
		p.t.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(func() { read(sender) })
	p.t.Cleanup(func() {
		_ = p.pc.GracefulClose()
		reader.Wait()
	})
	return track
}

// offer returns an offer with all candidates.
func offer(t *testing.T, pc *webrtc.PeerConnection) string {
	t.Helper()
	description, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(description); err != nil {
		t.Fatal(err)
	}
	<-gathered
	return pc.LocalDescription().SDP
}

func (p *publisher) connect(url string) {
	p.t.Helper()
	response, body := post(p.t, url, offer(p.t, p.pc), nil)
	if response.StatusCode != http.StatusCreated {
		p.t.Fatalf("POST: %s: %s", response.Status, body)
	}
	location, err := response.Location()
	if err != nil {
		p.t.Fatal(err)
	}
	p.session = location.String()
	connected := make(chan struct{})
	var once sync.Once
	p.pc.OnICEConnectionStateChange(func(s webrtc.ICEConnectionState) {
		if s == webrtc.ICEConnectionStateConnected {
			once.Do(func() { close(connected) })
		}
	})
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: body}); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-connected:
	case <-time.After(30 * time.Second):
		p.t.Fatal("not connected")
	}
}

// post sends a request with the key of the test, unless headers say otherwise.
func post(t *testing.T, url, body string, headers http.Header) (*http.Response, string) {
	t.Helper()
	return do(t, http.MethodPost, url, body, headers)
}

func do(t *testing.T, method, url, body string, headers http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/sdp")
	request.Header.Set("Authorization", "Bearer "+key)
	for name, values := range headers {
		request.Header[name] = values
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// readVideoReports sends again what is asked for, unless it is lost again.
func (p *publisher) readVideoReports(s *webrtc.RTPSender) {
	for {
		packets, _, err := s.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			switch packet := packet.(type) {
			case *rtcp.PictureLossIndication:
				select {
				case p.plis <- struct{}{}:
				default:
				}
			case *rtcp.TransportLayerNack:
				for _, pair := range packet.Nacks {
					for _, n := range pair.PacketList() {
						p.sendAgain(n)
					}
				}
			}
		}
	}
}

func (p *publisher) sendAgain(n uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nacks++
	if packet := p.sent[n]; packet != nil && !p.lose(n, true) {
		_ = p.video.WriteRTP(packet)
	}
}

// write sends a packet of video, unless it is lost.
func (p *publisher) write(packet *rtp.Packet) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent[packet.SequenceNumber] = packet
	if p.lose(packet.SequenceNumber, false) {
		return
	}
	if err := p.video.WriteRTP(packet); err != nil && !isClosed(err) {
		p.t.Error(err)
	}
}

func isClosed(err error) bool { return strings.Contains(err.Error(), "closed") }

// packets puts the payloads of a picture into packets.
func (p *publisher) packets(payloads [][]byte) []*rtp.Packet {
	var list []*rtp.Packet
	for i, payload := range payloads {
		list = append(list, &rtp.Packet{Payload: payload, Header: rtp.Header{
			Version: 2, SequenceNumber: p.sequence, Timestamp: p.timestamp, Marker: i == len(payloads)-1,
		}})
		p.sequence++
	}
	p.timestamp += 3000
	return list
}

func (p *publisher) send(payloads [][]byte) {
	p.t.Helper()
	for _, packet := range p.packets(payloads) {
		p.write(packet)
	}
}

// prime sends keyframes until one arrived, and returns the publication.
func (p *publisher) prime(desk *publishtest.Desk, keyframe [][]byte) *publishtest.Publication {
	p.t.Helper()
	published := desk.Await(desk.Count() - 1)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	for len(published.Epochs()) == 0 {
		p.send(keyframe)
		select {
		case <-again.C:
		case <-ctx.Done():
			p.t.Fatal("no keyframe arrived")
		}
	}
	return published
}

// clip is an H.264 stream, a byte stream for each picture.
type clip [][]byte

// makeClip codes a test picture: a keyframe in 10 pictures, no B-frames, with
// parameter sets before each keyframe.
func makeClip(t *testing.T, size string, seconds float64, params string) clip {
	t.Helper()
	path := mediatest.Make(t, "clip.h264", mediatest.Args(mediatest.Picture(size, 30, seconds), []string{
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline",
		"-pix_fmt", "yuv420p", "-g", "10", "-b:v", "1500k",
		"-x264-params", "aud=1:repeat-headers=1:sliced-threads=0" + params,
	})...)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c clip
	for unit := range annexb.Split(data) {
		const delimiter = 9
		if unit[0]&0x1f == delimiter {
			c = append(c, nil)
			continue
		}
		c[len(c)-1] = annexb.AppendStream(c[len(c)-1], unit)
	}
	return c
}

// units returns the NAL units of a picture, those of the given types left out.
func units(picture []byte, without ...byte) [][]byte {
	var list [][]byte
	for unit := range annexb.Split(picture) {
		if !slices.Contains(without, unit[0]&0x1f) {
			list = append(list, bytes.Clone(unit))
		}
	}
	return list
}

const mtu = 1100

// fragmented puts NAL units into payloads as packetization mode 1 does.
func fragmented(list [][]byte) [][]byte {
	var payloads [][]byte
	for _, unit := range list {
		if len(unit) <= mtu {
			payloads = append(payloads, unit)
			continue
		}
		indicator, header := unit[0]&0xe0|28, unit[0]&0x1f|0x80
		for rest := unit[1:]; len(rest) > 0; {
			n := min(mtu, len(rest))
			if n == len(rest) {
				header |= 0x40
			}
			payloads = append(payloads, append([]byte{indicator, header}, rest[:n]...))
			rest, header = rest[n:], header&0x1f
		}
	}
	return payloads
}
