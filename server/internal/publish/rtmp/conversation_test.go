package rtmp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framewire/framewire/server/internal/flv"
	"github.com/framewire/framewire/server/internal/flv/amf0"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/rtmp/chunk"
)

func TestConversation(t *testing.T) {
	d := newDesk()
	s := newScript(t).publish("cam?key=k").sound(10).
		call(0, "FCUnpublish", 6, nil, "cam").call(0, "deleteStream", 7, nil, 1)
	said, err := play(t, d, Options{}, s)
	all := d.published(t)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d publications, %v", len(all), err)
	}
	p := all[0]
	if p.err != nil || p.request.Stream != "cam" || p.request.Key != "k" || p.request.Client != "FMLE/3.0" {
		t.Errorf("request %+v, ended with %v", p.request, p.err)
	}
	if samples := p.of(media.Audio); len(samples) != 10 || samples[0].Duration != 1024 || samples[0].CapturedAt.IsZero() {
		t.Errorf("samples %+v", samples)
	}
	if want := []string{codeConnected, codePublishing, codeUnpublished}; !slices.Equal(said.codes(), want) {
		t.Errorf("states %q, want %q", said.codes(), want)
	}
	for transaction, want := range map[float64]string{1: "_result", 2: "_result", 3: "_result", 4: "_result", 6: "_result", 7: "_result"} {
		if got := said.result(transaction); got == nil || got[0] != want {
			t.Errorf("transaction %v was answered with %v", transaction, got)
		}
	}
	if got := said.result(4); got[3] != 1.0 {
		t.Errorf("createStream gave %v", got)
	}
}

func TestTooManyWrongKeysAreHeldBack(t *testing.T) {
	d := newDesk()
	d.refuse = func(publish.Request) error { return publish.ErrBadKey }
	server := New(d, Options{})
	for range 30 {
		said, err := playTo(t, server, newScript(t).publish("cam?key=guess"))
		if !errors.Is(err, publish.ErrBadKey) {
			t.Fatal(err)
		}
		if strings.Contains(said.description(), "too many") {
			if n := len(d.requests); n >= 30 {
				t.Errorf("the desk was asked %d times", n)
			}
			return
		}
	}
	t.Error("30 keys could be tried")
}

func TestConnectTellsOfEnhancedRTMP(t *testing.T) {
	said, _ := play(t, newDesk(), Options{}, newScript(t).connect("live"))
	properties, ok := said.result(1)[2].(amf0.Object)
	if !ok {
		t.Fatalf("connect was answered with %v", said.result(1))
	}
	codes, _ := properties.Get("fourCcList").(amf0.Array)
	for _, code := range []string{"avc1", "hvc1", "av01", "vp09", "mp4a", "Opus", "fLaC", ".mp3"} {
		if !slices.Contains(codes, any(code)) {
			t.Errorf("fourCcList %v lacks %s", codes, code)
		}
	}
	video, _ := properties.Get("videoFourCcInfoMap").(amf0.Object)
	if n, ok := video.Number("hvc1"); !ok || n != 4 {
		t.Errorf("videoFourCcInfoMap %v", video)
	}
}

type conversation struct {
	name   string
	script func(*script)
	opts   Options
	refuse error // of the desk
	want   error // what ends the connection
	codes  []string
	says   string
	sound  int // samples that came
}

func plain(data string) func(*script) {
	return func(s *script) { s.buf.Reset(); s.raw(data) }
}

var connectedCode, publishedCodes = []string{codeConnected}, []string{codeConnected, codePublishing}

// failed is the states of a publisher that was let in and then failed.
var failed = []string{codeConnected, codePublishing, codeFailed}

var conversations = []conversation{
	{name: "nothing", script: plain(""), want: publish.ErrDisconnected},
	{name: "half a handshake", script: plain("\x03half"), want: publish.ErrDisconnected},
	{name: "handshake only", script: func(*script) {}, want: publish.ErrDisconnected},
	{name: "RTMPE", script: plain("\x06" + strings.Repeat("x", 3072)), want: publish.ErrMalformed},
	{name: "TLS", script: plain("\x16\x03\x01" + strings.Repeat("x", 3072)), want: publish.ErrMalformed},
	{name: "HTTP", script: plain("GET / HTTP/1.1\r\n\r\n"), want: publish.ErrMalformed},
	{name: "connect and leave", script: func(s *script) { s.connect("live") }, codes: connectedCode},
	{name: "publish and leave", script: func(s *script) { s.publish("cam") }, want: publish.ErrDisconnected, codes: publishedCodes},

	{name: "other application", script: func(s *script) { s.connect("stage") }, want: publish.ErrBadName,
		codes: []string{codeRejected}, says: `"stage"`},
	{name: "bad key", script: func(s *script) { s.publish("cam") }, refuse: publish.ErrBadKey, want: publish.ErrBadKey,
		codes: []string{codeConnected, codeDenied}, says: publish.ErrBadKey.Error()},
	{name: "busy", script: func(s *script) { s.publish("cam") }, refuse: publish.ErrStreamBusy, want: publish.ErrStreamBusy,
		codes: []string{codeConnected, codeBadName, codeDenied}, says: publish.ErrStreamBusy.Error()},
	{name: "name too long", script: func(s *script) { s.publish(strings.Repeat("n", maxName+1)) }, want: publish.ErrBadName,
		codes: []string{codeConnected, codeBadName, codeDenied}},
	{name: "key too long", script: func(s *script) { s.publish("n?key=" + strings.Repeat("k", maxKey+1)) }, want: publish.ErrBadKey,
		codes: []string{codeConnected, codeDenied}},
	{name: "two at a time", script: func(s *script) {
		s.publish("a").call(0, "createStream", 6, nil).call(2, "publish", 7, nil, "b")
	}, want: publish.ErrStreamBusy, codes: []string{codeConnected, codePublishing, codeBadName, codeDenied}},
	{name: "play", script: func(s *script) { s.connect("live").call(0, "createStream", 2, nil).call(1, "play", 3, nil, "cam") },
		want: publish.ErrUnsupported, codes: []string{codeConnected, codePlayFailed}},
	{name: "unknown command", script: func(s *script) { s.connect("live").call(0, "dance", 2, nil).call(0, "dance", 0, nil) },
		codes: []string{codeConnected, codeCallFailed}, says: `"dance"`},
	{name: "harmless commands", script: func(s *script) {
		s.connect("live").call(0, "_checkbw", 2, nil).call(0, "getStreamLength", 3, nil, "x").call(0, "deleteStream", 4, nil, 1)
	}, codes: connectedCode},

	{name: "command before connect", script: func(s *script) { s.call(0, "createStream", 1, nil) }, want: publish.ErrMalformed},
	{name: "connect twice", script: func(s *script) { s.connect("live").connect("live") }, want: publish.ErrMalformed,
		codes: []string{codeConnected, codeFailed}},
	{name: "publish on no stream", script: func(s *script) { s.connect("live").call(1, "publish", 2, nil, "cam") },
		want: publish.ErrMalformed, codes: []string{codeConnected, codeFailed}},
	{name: "command that is no AMF0", script: func(s *script) { s.message(typeCommand, 0, 0, "\xff\xff") }, want: publish.ErrMalformed},
	{name: "command without number", script: func(s *script) { s.message(typeCommand, 0, 0, encode(s.t, "connect")) }, want: publish.ErrMalformed},
	{name: "command that begins with an object", script: func(s *script) { s.call(0, amf0.Object{}, 1) }, want: publish.ErrMalformed},
	{name: "connect without object", script: func(s *script) { s.call(0, "connect", 1) }, want: publish.ErrBadName, codes: []string{codeRejected}},
	{name: "endless command", script: func(s *script) { s.connect("live").message(typeCommand, 0, 0, strings.Repeat("\x05", maxControl+1)) },
		want: publish.ErrMalformed, codes: []string{codeConnected, codeFailed}},
	{name: "too many commands", script: func(s *script) {
		s.connect("live")
		for range controlBurst + 10 {
			s.call(0, "_checkbw", 0, nil)
		}
	}, want: publish.ErrLimit, codes: []string{codeConnected, codeFailed}},
	{name: "empty messages without end", script: func(s *script) {
		s.publish("cam")
		for range controlBurst + 10 {
			s.message(flv.TagAudio, 1, 0, "")
		}
	}, want: publish.ErrLimit, codes: failed},
	{name: "too many streams", script: func(s *script) {
		s.connect("live")
		for range maxStreams + 1 {
			s.call(0, "createStream", 2, nil)
		}
	}, want: publish.ErrLimit, codes: []string{codeConnected, codeFailed}},
	{name: "message too large", script: func(s *script) { s.publish("cam").message(flv.TagVideo, 1, 0, strings.Repeat("v", 1001)) },
		opts: Options{MaxMessage: 1000}, want: publish.ErrMalformed, codes: failed, says: "1001 bytes"},
	{name: "broken chunk", script: func(s *script) { s.publish("cam").raw("\xff") }, want: publish.ErrMalformed, codes: failed},

	{name: "media before publishing", script: func(s *script) { s.connect("live").sound(3) }, codes: connectedCode},
	{name: "command in the wrapper of AMF3", script: func(s *script) {
		s.message(typeCommandAMF3, 0, 0, "\x00"+encode(s.t, "connect", 1, amf0.Object{{Name: "app", Value: "live"}}))
	}, codes: connectedCode},
	{name: "values in AMF3 behind a command", script: func(s *script) {
		s.connect("live").message(typeCommandAMF3, 0, 0, "\x00"+encode(s.t, "createStream", 2)+"\x11\x01")
	}, codes: connectedCode},
	{name: "metadata in the wrapper of AMF3", script: func(s *script) {
		s.publish("cam").message(flv.TagScriptAMF3, 1, 0, "\x00"+soundOnly(s.t)).
			message(flv.TagAudio, 1, 0, soundConfig).message(flv.TagAudio, 1, 0, soundFrame)
	}, want: publish.ErrDisconnected, codes: publishedCodes, sound: 1},
	{name: "broken metadata", script: func(s *script) { s.publish("cam").message(flv.TagScript, 1, 0, "\xff\xff").sound(2) },
		want: publish.ErrDisconnected, codes: publishedCodes, sound: 2},
	{name: "sound shorter than the wait for pictures", script: func(s *script) {
		s.publish("cam").message(flv.TagAudio, 1, 0, soundConfig).message(flv.TagAudio, 1, 0, soundFrame)
	}, want: publish.ErrDisconnected, codes: publishedCodes, sound: 1},
	{name: "aggregate", script: func(s *script) {
		s.publish("cam").message(flv.TagScript, 1, 0, soundOnly(s.t)).message(typeAggregate, 1, 5000, aggregate(
			flv.Tag{Type: flv.TagAudio, Timestamp: 100, Body: []byte(soundConfig)},
			flv.Tag{Type: flv.TagAudio, Timestamp: 100, Body: []byte(soundFrame)},
			flv.Tag{Type: flv.TagAudio, Timestamp: 121, Body: []byte(soundFrame)}))
	}, want: publish.ErrDisconnected, codes: publishedCodes, sound: 2},
	{name: "broken aggregate", script: func(s *script) { s.publish("cam").message(typeAggregate, 1, 0, "\x08\x00\x00\x09") },
		want: publish.ErrMalformed, codes: failed},
	{name: "codec of the past", script: func(s *script) { s.publish("cam").message(flv.TagVideo, 1, 0, "\x12abc") },
		want: publish.ErrUnsupported, codes: failed, says: "Sorenson H.263"},
	{name: "broken sound", script: func(s *script) { s.publish("cam").message(flv.TagAudio, 1, 0, "\xaf\x00\xff") },
		want: publish.ErrMalformed, codes: failed, says: "AAC"},
	{name: "publish again", script: func(s *script) {
		s.publish("cam").sound(2).call(1, "closeStream", 0, nil).
			call(0, "createStream", 8, nil).call(2, "publish", 9, nil, "cam").sound(3).call(2, "deleteStream", 0, nil, 2)
	}, codes: []string{codeConnected, codePublishing, codeUnpublished, codePublishing, codeUnpublished}, sound: 5},
}

func (c *conversation) build(t testing.TB) *script {
	s := newScript(t)
	c.script(s)
	return s
}

func TestConversations(t *testing.T) {
	for _, c := range conversations {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk()
			d.refuse = func(publish.Request) error { return c.refuse }
			said, err := play(t, d, c.opts, c.build(t))
			if !errors.Is(err, c.want) {
				t.Errorf("ended with %v, want %v", err, c.want)
			}
			if !slices.Equal(said.codes(), c.codes) {
				t.Errorf("states %q, want %q", said.codes(), c.codes)
			}
			if !strings.Contains(said.description(), c.says) {
				t.Errorf("the publisher was told %q, not %q", said.description(), c.says)
			}
			sound := 0
			for _, p := range d.published(t) {
				sound += len(p.samples)
			}
			if sound != c.sound {
				t.Errorf("%d samples, want %d", sound, c.sound)
			}
		})
	}
}

// FuzzConversation sends anything behind a handshake.
func FuzzConversation(f *testing.F) {
	const handshake = 1 + 2*handshakeSize
	for _, c := range conversations {
		if b := c.build(f).buf.Bytes(); len(b) > handshake && len(b) < handshake+1<<12 {
			f.Add(b[handshake:])
		}
	}
	f.Add(newScript(f).publish("cam").sound(3).buf.Bytes()[handshake:])
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newDesk()
		d.came = make(chan *publication, maxStreams)
		_, err := play(t, d, Options{MaxMessage: 1 << 16}, newScript(t).raw(string(data)))
		if err != nil && !isOne(err) {
			t.Fatalf("untyped error %v", err)
		}
		d.published(t)
	})
}

func TestSinkErrorEndsThePublisher(t *testing.T) {
	d := newDesk()
	full := errors.Join(publish.ErrLimit, errors.New("picture of 9999x9999"))
	d.write = func(media.Sample) error { return full }
	said, err := play(t, d, Options{}, newScript(t).publish("cam").sound(3))
	if p := d.published(t)[0]; !errors.Is(err, publish.ErrLimit) || !errors.Is(p.err, full) {
		t.Errorf("ended with %v, closed with %v", err, p.err)
	}
	if !strings.Contains(said.description(), "9999x9999") {
		t.Errorf("the publisher was told %q", said.description())
	}
}

func TestPingIsAnsweredAndBytesAreAcknowledged(t *testing.T) {
	s := newScript(t).connect("live").
		message(typeUserControl, 0, 0, "\x00\x06\x01\x02\x03\x04").
		message(typeWindow, 0, 0, string(binary.BigEndian.AppendUint32(nil, 1))). // raised to minAckWindow
		message(flv.TagVideo, 1, 0, strings.Repeat("v", 3*minAckWindow))
	said, _ := play(t, newDesk(), Options{}, s)
	pong, acknowledgements := false, 0
	for _, m := range said.messages {
		switch {
		case m.Type == typeUserControl && string(m.Data) == "\x00\x07\x01\x02\x03\x04":
			pong = true
		case m.Type == typeAcknowledgement:
			acknowledgements++
		}
	}
	if !pong || acknowledgements == 0 || acknowledgements > 4 {
		t.Errorf("ping answered %t, %d acknowledgements", pong, acknowledgements)
	}
}

// pipe serves one end of a pipe and returns the other, on which a script was
// sent and from which answers are read off.
func pipe(t *testing.T, ctx context.Context, d *desk, opts Options, s *script) (net.Conn, <-chan error) {
	ours, theirs := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- New(d, opts).ServeConn(ctx, theirs) }()
	go func() { _, _ = io.Copy(io.Discard, ours) }()
	if _, err := ours.Write(s.buf.Bytes()); err != nil {
		t.Error(err)
	}
	return ours, ended
}

func TestTimeouts(t *testing.T) {
	opts := Options{Handshake: 5 * time.Second, Setup: 15 * time.Second, Silence: 10 * time.Second}
	for _, c := range []struct {
		name   string
		script func(*script)
		after  time.Duration
	}{
		{"handshake", plain("\x03half"), opts.Handshake},
		{"setup", func(s *script) { s.connect("live") }, opts.Setup},
		{"silence", func(s *script) { s.publish("cam").sound(2) }, opts.Silence},
		{"silence from the start", func(s *script) { s.publish("cam") }, opts.Silence},
		{"nothing after unpublishing", func(s *script) { s.publish("cam").call(1, "closeStream", 0, nil) }, opts.Setup},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t)
				c.script(s)
				began := time.Now()
				ours, ended := pipe(t, t.Context(), newDesk(), opts, s)
				defer ours.Close()
				if err := <-ended; !errors.Is(err, publish.ErrSilent) {
					t.Errorf("ended with %v", err)
				}
				// Behind the last word comes a moment in which it may be read.
				if took := time.Since(began); took < c.after || took > c.after+lingerTimeout {
					t.Errorf("took %v, want %v", took, c.after)
				}
			})
		})
	}
}

func TestMediaKeepAPublisher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		ours, ended := pipe(t, t.Context(), d, Options{Silence: 10 * time.Second}, newScript(t).publish("cam").sound(1))
		var frame bytes.Buffer
		_ = chunk.NewWriter(&frame).Write(chunk.Message{ChunkStream: 4, Type: flv.TagAudio, Stream: 1, Data: []byte(soundFrame)})
		for range 10 {
			time.Sleep(9 * time.Second) // of the bubble
			if _, err := ours.Write(frame.Bytes()); err != nil {
				t.Fatal(err)
			}
		}
		_ = ours.Close()
		if err := <-ended; !errors.Is(err, publish.ErrDisconnected) {
			t.Errorf("ended with %v", err)
		}
		if p := d.published(t)[0]; len(p.samples) != 11 {
			t.Errorf("%d samples", len(p.samples))
		}
	})
}

func TestShutdownAndRemovalEndPublishersAtOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(cancel func(), p *publication)
		want error
	}{
		{"shutdown", func(cancel func(), _ *publication) { cancel() }, publish.ErrShutdown},
		{"removal", func(_ func(), p *publication) { p.end(publish.ErrRemoved) }, publish.ErrRemoved},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				d := newDesk()
				began := time.Now()
				ours, ended := pipe(t, ctx, d, Options{}, newScript(t).publish("cam").sound(1))
				defer ours.Close()
				p := <-d.came
				<-p.first
				c.end(cancel, p)
				if err := <-ended; !errors.Is(err, c.want) || !errors.Is(p.err, c.want) {
					t.Errorf("ended with %v, closed with %v", err, p.err)
				}
				if took := time.Since(began); took > lingerTimeout {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	address := serve(t, newDesk(), Options{MaxConnections: 1})
	first, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := first.Write(newScript(t).buf.Bytes()); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(first, make([]byte, 1+2*handshakeSize)); err != nil {
		t.Fatal(err)
	}
	second, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	_ = second.SetReadDeadline(time.Now().Add(patience))
	if _, err := second.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a second connection read %v", err)
	}
}
