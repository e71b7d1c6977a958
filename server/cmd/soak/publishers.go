package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/h264reader"
)

// deed is something that is done again and again.
type deed func(ctx context.Context, r *rand.Rand) error

// publishers are those of every kind, and some who are none.
func (w *world) publishers() map[string]deed {
	rtmp := func(stream, key string) func(string) []string {
		return func(address string) []string {
			return []string{"-f", "flv", "rtmp://" + address + "/live/" + stream + "?key=" + key}
		}
	}
	put := func(stream, format, key string) func(string) []string {
		return func(address string) []string {
			return []string{"-f", format, "-method", "PUT", "http://" + address + "/publish/" + stream + "?key=" + key}
		}
	}
	return map[string]deed{
		"publishers over RTMP":                w.encoder(w.routeRTMP, rtmp("pub/rtmp", "soak")),
		"publishers over RTMP, taking over":   w.encoder(w.routeRTMP, rtmp("taken/a", "soak")),
		"publishers over RTMP, as well":       w.encoder(w.routeRTMP, rtmp("taken/a", "soak")),
		"publishers with a wrong key":         seldom(w.encoder(w.routeRTMP, rtmp("pub/wrong", "guess"))),
		"publishers by PUT, MPEG-TS":          w.encoder(w.routeWeb, put("pub/put", "mpegts", "soak")),
		"publishers by PUT, Matroska":         w.encoder(w.routeWeb, put("pub/mkv", "matroska", "soak")),
		"publishers over WebSocket":           w.publishOverWebSocket,
		"publishers over WHIP":                w.publishOverWHIP,
		"rubbish over RTMP":                   w.rubbish(w.routeRTMP, ""),
		"rubbish by PUT":                      w.rubbish(w.routeWeb, "PUT /publish/pub/rubbish?key=soak HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFF\r\n"),
		"rubbish by WHIP":                     w.rubbish(w.routeWeb, "POST /whip/pub/rubbish?key=soak HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\nContent-Length: 5000\r\n\r\nv=0\r\n"),
		"rubbish over WebSocket":              w.rubbish(w.routeWeb, "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: framewire.v1.proto\r\n\r\n"),
		"rubbish to the operator's service":   w.rubbish(w.routeWeb, "POST /framewire.v1.AdminService/AddStream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/proto\r\nContent-Length: 60000\r\n\r\n"),
		"connections that send a bit at most": w.rubbish(w.routeWeb, "GET / HTTP/1.1\r\nHos"),
	}
}

// seldom does it with time between. Who tries wrong keys more often than that holds up
// all who come from this machine.
func seldom(do deed) deed {
	return func(ctx context.Context, r *rand.Rand) error {
		if pause(ctx, between(r, 8*time.Second, 20*time.Second)) != nil {
			return nil
		}
		return do(ctx, r)
	}
}

func (w *world) routeWeb(r *rand.Rand) string {
	address, _ := w.route(r)
	return address
}

func (w *world) routeRTMP(r *rand.Rand) string {
	return pick(r, w.server.rtmp, w.rtmp.Addr().String())
}

// end ends a program: killed, asked, or of itself where it can.
func end(r *rand.Rand, p *os.Process) error {
	return p.Signal(pick[os.Signal](r, syscall.SIGKILL, syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM))
}

// program runs one for a while. How it ends is its own affair.
func program(ctx context.Context, r *rand.Rand, least, most time.Duration, name string, args ...string) error {
	running, cancel := context.WithTimeout(ctx, between(r, least, most))
	defer cancel()
	cmd := exec.CommandContext(running, name, args...)
	cmd.Cancel = func() error { return end(r, cmd.Process) }
	cmd.WaitDelay = 3 * time.Second // asked in vain, it is killed
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) || errors.Is(err, exec.ErrWaitDelay) || running.Err() != nil {
		return nil
	}
	return err
}

// encoder publishes with ffmpeg.
func (w *world) encoder(route func(*rand.Rand) string, output func(address string) []string) deed {
	return func(ctx context.Context, r *rand.Rand) error {
		args := []string{"-hide_banner", "-nostdin", "-loglevel", "quiet", "-re", "-stream_loop", "-1", "-i", w.server.clip, "-c", "copy"}
		return program(ctx, r, time.Second, 25*time.Second, "ffmpeg", append(args, output(route(r))...)...)
	}
}

func (w *world) publishOverWebSocket(ctx context.Context, r *rand.Rand) error {
	return program(ctx, r, time.Second, 25*time.Second, w.options.binary, "publish", "--quiet",
		"--url", "ws://"+w.routeWeb(r)+"/ws", "--stream", "pub/ws", "--key", "soak", pick(r, "demo:", w.server.clip))
}

// rubbish sends a beginning, then random bytes, and may stay for a while.
func (w *world) rubbish(route func(*rand.Rand) string, beginning string) deed {
	return func(ctx context.Context, r *rand.Rand) error {
		c, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", route(r))
		if err != nil {
			return nil // a bad network refuses
		}
		defer c.Close()
		// However far it gets.
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(c, beginning); err != nil {
			return nil
		}
		data := make([]byte, r.IntN(64<<10))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 {
			copy(data, "\x03") // what RTMP begins with
		}
		_, _ = c.Write(data)
		if r.IntN(2) == 0 {
			_ = pause(ctx, between(r, 0, 20*time.Second))
		}
		return nil
	}
}

// publishOverWHIP sends pictures over WebRTC, and says good-bye or not.
func (w *world) publishOverWHIP(ctx context.Context, r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(ctx, between(r, time.Second, 20*time.Second))
	defer cancel()
	var engine webrtc.SettingEngine
	engine.SetIncludeLoopbackCandidate(true)
	peer, err := webrtc.NewAPI(webrtc.WithSettingEngine(engine)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return err
	}
	defer func() { _ = peer.GracefulClose() }()
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "video", "soak")
	if err != nil {
		return err
	}
	if _, err := peer.AddTrack(track); err != nil {
		return err
	}
	address, good := w.route(r)
	session, err := w.offer(ctx, peer, "http://"+address+"/whip/pub/whip?key=soak")
	if err != nil {
		if good && ctx.Err() == nil && !errors.Is(err, errTaken) {
			return err
		}
		return nil
	}
	err = w.sendPictures(ctx, track)
	if r.IntN(2) == 0 && session != "" {
		request, e := http.NewRequest(http.MethodDelete, "http://"+address+session+"?key=soak", nil)
		if e != nil {
			return e
		}
		if response, e := w.server.http.Do(request); e == nil {
			_ = response.Body.Close()
		}
	}
	return err
}

// errTaken: the publisher before is still there.
var errTaken = errors.New("the stream is taken")

// offer returns the path of the session.
func (w *world) offer(ctx context.Context, peer *webrtc.PeerConnection, url string) (string, error) {
	description, err := peer.CreateOffer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(peer)
	if err := peer.SetLocalDescription(description); err != nil {
		return "", err
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(peer.LocalDescription().SDP))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/sdp")
	response, err := w.server.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return "", err
	case response.StatusCode == http.StatusConflict:
		return "", errTaken
	case response.StatusCode != http.StatusCreated:
		return "", fmt.Errorf("WHIP: %s: %s", response.Status, answer)
	}
	return response.Header.Get("Location"), peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)})
}

// sendPictures sends the file over and over until ctx is done.
func (w *world) sendPictures(ctx context.Context, track *webrtc.TrackLocalStaticSample) error {
	data, err := os.ReadFile(w.h264)
	if err != nil {
		return err
	}
	const frame = time.Second / 15
	for {
		units, err := h264reader.NewReader(bytes.NewReader(data))
		if err != nil {
			return err
		}
		for {
			unit, err := units.NextNAL()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			sample := media.Sample{Data: unit.Data}
			picture := unit.UnitType == h264reader.NalUnitTypeCodedSliceIdr || unit.UnitType == h264reader.NalUnitTypeCodedSliceNonIdr
			if picture {
				sample.Duration = frame
			}
			if err := track.WriteSample(sample); err != nil {
				return nil // the connection is over
			}
			if picture && pause(ctx, frame) != nil {
				return nil
			}
		}
	}
}
