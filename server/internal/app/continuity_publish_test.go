package app_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/asticode/go-astits"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/codec/h264"
	"github.com/framewire/framewire/server/internal/flv"
	"github.com/framewire/framewire/server/internal/flv/amf0"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish/rtmp/chunk"
)

// crafted is a publisher over a real socket that sends what it is told to.
type crafted interface {
	send(p *piece)
	// close ends the stream in good order, lose without a word.
	close()
	lose()
}

// protocols open a publication. Picture and sound are both announced.
var protocols = map[string]struct {
	open func(t *testing.T, s *server, c *clip, stream string) crafted
	// wrap is where the clock of the protocol begins again.
	wrap time.Duration
}{
	"RTMP":      {openRTMP, (1 << 32) * time.Millisecond},
	"MPEG-TS":   {openTS, (1 << 33) * time.Second / 90_000},
	"WebSocket": {openWS, (1 << 32) * time.Second / 90_000}, // of one that counts in 32 bits
}

// ticks90k returns a time in units of 90 kHz, without its wrap.
func ticks90k(d time.Duration) int64 { return media.Ticks(d, 90_000) }

type rtmpPublisher struct {
	t    *testing.T
	conn net.Conn
	out  *chunk.Writer
	clip *clip

	reading sync.WaitGroup // what the server says
}

// openRTMP publishes, and announces both tracks in the metadata.
func openRTMP(t *testing.T, s *server, c *clip, stream string) crafted {
	t.Helper()
	conn, err := net.Dial("tcp", s.rtmp())
	if err != nil {
		t.Fatal(err)
	}
	p := askRTMP(t, conn, stream)
	p.clip = c
	p.message(flv.TagScript, 1, 0, p.encode("@setDataFrame", "onMetaData",
		amf0.Object{{Name: "videocodecid", Value: 7}, {Name: "audiocodecid", Value: 10}}))
	p.reading.Go(func() { _, _ = io.Copy(io.Discard, conn) })
	return p
}

// askRTMP asks to publish, with the key behind the name. What the server says to
// that is not read.
func askRTMP(t *testing.T, conn net.Conn, stream string) *rtmpPublisher {
	t.Helper()
	p := &rtmpPublisher{t: t, conn: conn, out: chunk.NewWriter(conn)}
	t.Cleanup(func() {
		_ = conn.Close()
		p.reading.Wait()
	})
	const handshake = 1536
	p.raw(append([]byte{3}, make([]byte, handshake)...))
	if _, err := io.ReadFull(conn, make([]byte, 1+2*handshake)); err != nil {
		t.Fatal(err)
	}
	p.raw(make([]byte, handshake))
	p.call(0, "connect", 1, amf0.Object{{Name: "app", Value: "live"}, {Name: "tcUrl", Value: "rtmp://h/live"}})
	p.call(0, "createStream", 2, nil)
	p.call(1, "publish", 3, nil, stream, "live")
	return p
}

func (p *rtmpPublisher) raw(data []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(data); err != nil {
		p.t.Fatal(err)
	}
}

func (p *rtmpPublisher) encode(values ...any) []byte {
	p.t.Helper()
	data, err := amf0.Append(nil, values...)
	if err != nil {
		p.t.Fatal(err)
	}
	return data
}

func (p *rtmpPublisher) call(stream uint32, values ...any) {
	p.t.Helper()
	p.message(20, stream, 0, p.encode(values...))
}

func (p *rtmpPublisher) message(kind uint8, stream, timestamp uint32, data []byte) {
	p.t.Helper()
	if err := p.out.Write(chunk.Message{ChunkStream: 4, Type: kind, Stream: stream, Timestamp: timestamp, Data: data}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *rtmpPublisher) send(s *piece) {
	p.t.Helper()
	at := uint32(s.at.Milliseconds())
	if s.kind == media.Audio {
		if s.configured {
			p.message(flv.TagAudio, 1, at, append([]byte("\xaf\x00"), p.clip.audio.Config...))
		}
		p.message(flv.TagAudio, 1, at, append([]byte("\xaf\x01"), s.data...))
		return
	}
	if s.configured {
		p.message(flv.TagVideo, 1, at, append([]byte("\x17\x00\x00\x00\x00"), p.clip.video.Config...))
	}
	header := "\x27\x01\x00\x00\x00"
	if s.keyframe {
		header = "\x17\x01\x00\x00\x00"
	}
	p.message(flv.TagVideo, 1, at, append([]byte(header), s.data...))
}

func (p *rtmpPublisher) close() {
	p.t.Helper()
	p.call(0, "deleteStream", 4, nil, 1)
	if err := p.conn.(*net.TCPConn).CloseWrite(); err != nil {
		p.t.Error(err)
	}
	p.reading.Wait() // the server closes
}

func (p *rtmpPublisher) lose() { _ = p.conn.Close() }

// startCodes returns a picture as a byte stream, with its parameter sets where
// they go before it.
func (c *clip) startCodes(t *testing.T, s *piece) []byte {
	t.Helper()
	config, err := h264.ParseConfig(c.video.Config)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	if s.configured {
		for _, nal := range append(config.SPS, config.PPS...) {
			out = annexb.AppendStream(out, nal)
		}
	}
	for nal, err := range annexb.Units(s.data, config.LengthSize) {
		if err != nil {
			t.Fatal(err)
		}
		out = annexb.AppendStream(out, nal)
	}
	return out
}

const (
	tsVideo = 0x100
	tsAudio = 0x101
)

type tsPublisher struct {
	t    *testing.T
	clip *clip
	mux  *astits.Muxer
	out  *bufio.Writer // of all packets of a piece
	body *io.PipeWriter
	done chan error
}

// openTS begins a POST, whose program map lists both tracks.
func openTS(t *testing.T, s *server, c *clip, stream string) crafted {
	t.Helper()
	body, w := io.Pipe()
	out := bufio.NewWriterSize(w, 64<<10)
	p := &tsPublisher{t: t, clip: c, body: w, out: out, mux: astits.NewMuxer(context.Background(), out), done: make(chan error, 1)}
	for pid, kind := range map[uint16]astits.StreamType{tsVideo: astits.StreamTypeH264Video, tsAudio: astits.StreamTypeAACAudio} {
		if err := p.mux.AddElementaryStream(astits.PMTElementaryStream{ElementaryPID: pid, StreamType: kind}); err != nil {
			t.Fatal(err)
		}
	}
	p.mux.SetPCRPID(tsVideo)
	request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.url+"/publish/"+stream, body)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		response, err := s.http.Do(request)
		if err == nil {
			response.Body.Close()
			if response.StatusCode != http.StatusNoContent {
				err = fmt.Errorf("the POST ends with %s", response.Status)
			}
		}
		p.done <- err
	}()
	if _, err := p.mux.WriteTables(); err != nil {
		t.Fatal(err)
	}
	p.flush()
	return p
}

func (p *tsPublisher) send(s *piece) {
	p.t.Helper()
	pts := &astits.ClockReference{Base: ticks90k(s.at) & (1<<33 - 1)}
	data := &astits.MuxerData{PID: tsVideo, PES: &astits.PESData{Header: &astits.PESHeader{
		OptionalHeader: &astits.PESOptionalHeader{MarkerBits: 2, PTSDTSIndicator: astits.PTSDTSIndicatorOnlyPTS, PTS: pts},
	}}}
	if s.kind == media.Audio {
		data.PID = tsAudio
		data.PES.Data = append(adts(len(s.data)), s.data...)
	} else {
		data.AdaptationField = &astits.PacketAdaptationField{RandomAccessIndicator: s.keyframe, HasPCR: true, PCR: pts}
		data.PES.Data = p.clip.startCodes(p.t, s)
	}
	if _, err := p.mux.WriteData(data); err != nil {
		p.t.Fatal(err)
	}
	p.flush()
}

func (p *tsPublisher) flush() {
	p.t.Helper()
	if err := p.out.Flush(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *tsPublisher) close() {
	p.t.Helper()
	if err := p.body.Close(); err != nil {
		p.t.Error(err)
	}
	if err := <-p.done; err != nil {
		p.t.Error(err)
	}
}

func (p *tsPublisher) lose() {
	_ = p.body.CloseWithError(errors.New("the cable was pulled")) // which ends the request within its body
	<-p.done
}

// adts is the header of a frame of AAC-LC, 48 kHz, mono (ISO/IEC 13818-7 6.2).
func adts(size int) []byte {
	size += 7
	return []byte{0xff, 0xf1, 1<<6 | 3<<2, 1<<6 | byte(size>>11), byte(size >> 3), byte(size<<5) | 0x1f, 0xfc}
}

type wsPublisher struct {
	t       *testing.T
	ctx     context.Context
	clip    *clip
	session *client.Session
	pub     *client.Publication
}

// openWS publishes with the configuration of both tracks, but that of a picture
// that has none before it comes within the media.
func openWS(t *testing.T, s *server, c *clip, stream string) crafted {
	t.Helper()
	p := &wsPublisher{t: t, ctx: s.ctx, clip: c, session: s.must(client.Options{Name: "crafted"}, "")}
	pub, err := p.session.Publish(s.ctx, &framewirev1.PublishStart{
		Stream: stream,
		Tracks: []*framewirev1.PublishTrack{
			{Id: 1, Codec: c.video.CodecString, Timescale: 90_000},
			{Id: 2, Codec: c.audio.CodecString, Timescale: 90_000, DecoderConfig: c.audio.Config},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.pub = pub
	return p
}

func (p *wsPublisher) send(s *piece) {
	p.t.Helper()
	sample := &framewirev1.PublishSample{
		TrackId: 1, DecodeTimeTicks: ticks90k(s.at) & (1<<32 - 1), Keyframe: s.keyframe, Data: bytes.Clone(s.data),
	}
	if s.kind == media.Audio {
		sample.TrackId = 2
	} else {
		sample.Data = p.clip.startCodes(p.t, s)
	}
	if err := p.pub.Write(p.ctx, sample); err != nil {
		p.t.Fatal(err)
	}
}

func (p *wsPublisher) close() {
	p.t.Helper()
	if err := p.pub.Close(p.ctx); err != nil {
		p.t.Error(err)
	}
}

func (p *wsPublisher) lose() { _ = p.session.Close() }
