package whip

import (
	"bytes"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish/whip/jitter"
)

// trackBegan is called by the WebRTC stack with the first packet of a track.
func (s *session) trackBegan(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	kind := media.Audio
	if remote.Kind() == webrtc.RTPCodecTypeVideo {
		kind = media.Video
	}
	s.readers.Go(func() { s.readMedia(kind, remote) })
	s.readers.Go(func() { s.readReports(kind, remote, receiver) })
}

// tell hands an event to the session's goroutine. It reports false at the end.
func (s *session) tell(e event) bool {
	select {
	case s.events <- e:
		return true
	case <-s.ctx.Done():
		return false
	}
}

func (s *session) readMedia(kind media.Kind, remote *webrtc.TrackRemote) {
	buffer := make([]byte, receiveMTU)
	var p rtp.Packet
	for {
		n, _, err := remote.Read(buffer)
		if err != nil {
			return // the connection is closed
		}
		if err := p.Unmarshal(buffer[:n]); err != nil {
			continue // a broken packet is a lost one
		}
		if !s.tell(event{kind: kind, ssrc: p.SSRC, packet: jitter.Packet{
			Sequence: p.SequenceNumber, Timestamp: p.Timestamp, PayloadType: p.PayloadType,
			Marker: p.Marker, Payload: bytes.Clone(p.Payload), Arrived: time.Now(),
		}}) {
			return
		}
	}
}

func (s *session) readReports(kind media.Kind, remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	for {
		packets, _, err := receiver.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			report, ok := p.(*rtcp.SenderReport)
			if ok && report.SSRC == uint32(remote.SSRC()) && !s.tell(event{kind: kind, ssrc: report.SSRC, report: report}) {
				return
			}
		}
	}
}
