package wire

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/media"
)

func id(v uint32) *uint32 { return &v }

// messages are client messages in ProtoJSON with what they decode to: a
// ClientMessage, or the field and code of an error.
var messages = []struct {
	json  string
	want  ClientMessage
	code  ErrorCode
	field string
	id    uint32
}{
	{json: `{}`},
	{json: `{"anArmOfTheFuture":{"x":1}}`},
	{json: `{"hello":{"protocolVersion":1}}`, want: Hello{Version: 1, Settings: Settings{Volume: 1}}},
	{
		json: `{"hello":{"protocolVersion":1,"clientName":"n","clientVersion":"v","token":"t",
			"decodableTypes":["video/mp4; codecs=\"avc1.64001f, mp4a.40.2\"","video/mp4; codecs=\"avc1.42e01e\""],
			"resume":{"stream":"a/b","instance":"i","nextSequence":"12","paused":true,"timeShifted":true},
			"settings":{"volume":0.5,"muted":true,"latencyTargetMs":300}}}`,
		want: Hello{Version: 1, ClientName: "n", ClientVersion: "v", Token: "t", Families: []string{"avc1", "mp4a"},
			Resume:   &ResumePosition{Stream: "a/b", Instance: "i", Next: 12, Paused: true, TimeShifted: true},
			Settings: Settings{Volume: 0.5, Muted: true, LatencyTarget: 300 * time.Millisecond}},
	},
	{json: `{"hello":{"clientName":"` + strings.Repeat("n", 65) + `"}}`, code: InvalidArgument, field: "hello.client_name"},
	{json: `{"hello":{"clientVersion":"` + strings.Repeat("n", 65) + `"}}`, code: InvalidArgument, field: "hello.client_version"},
	{json: `{"hello":{"token":"` + strings.Repeat("n", 8193) + `"}}`, code: InvalidArgument, field: "hello.token"},
	{json: `{"hello":{"decodableTypes":["avc1"]}}`, code: InvalidArgument, field: "hello.decodable_types[0]"},
	{json: `{"hello":{"decodableTypes":["video/mp4; codecs=\"avc1\"","` + strings.Repeat("n", 129) + `"]}}`, code: InvalidArgument, field: "hello.decodable_types[1]"},
	{json: `{"hello":{"decodableTypes":[` + strings.Repeat(`"video/mp4; codecs=avc1",`, 64) + `"video/mp4; codecs=avc1"]}}`, code: InvalidArgument, field: "hello.decodable_types"},
	{json: `{"hello":{"resume":{"stream":".."}}}`, code: InvalidArgument, field: "hello.resume.stream"},
	{json: `{"hello":{"settings":{"volume":"NaN"}}}`, code: InvalidArgument, field: "hello.settings.volume"},
	{json: `{"hello":{"settings":{"latencyTargetMs":60001}}}`, code: InvalidArgument, field: "hello.settings.latency_target_ms"},

	{json: `{"command":{"id":1,"play":{"stream":"a"}}}`, want: Command{1, Play{Stream: "a", From: PositionLive{}}}},
	{json: `{"command":{"id":1,"play":{"stream":"a","timeSeconds":1.5}}}`, want: Command{1, Play{Stream: "a", From: PositionTime(1500 * time.Millisecond)}}},
	{json: `{"command":{"id":1,"play":{"stream":"a","sequence":"9"}}}`, want: Command{1, Play{Stream: "a", From: PositionSequence(9)}}},
	{json: `{"command":{"id":1,"play":{"stream":"a","secondsBehindLive":9}}}`, want: Command{1, Play{Stream: "a", From: PositionBehind(9 * time.Second)}}},
	{json: `{"command":{"id":2,"play":{"stream":"a b"}}}`, code: InvalidArgument, field: "command.play.stream", id: 2},
	{json: `{"command":{"id":2,"play":{"stream":"a","timeSeconds":-1}}}`, code: InvalidArgument, field: "command.play.time_seconds", id: 2},
	{json: `{"command":{"id":2,"play":{"stream":"a","secondsBehindLive":"Infinity"}}}`, code: InvalidArgument, field: "command.play.seconds_behind_live", id: 2},
	{json: `{"command":{"id":1,"pause":{}}}`, want: Command{1, Pause{}}},
	{json: `{"command":{"id":1,"resume":{"live":true}}}`, want: Command{1, Resume{Live: true}}},
	{json: `{"command":{"id":1,"stop":{}}}`, want: Command{1, Stop{}}},
	{json: `{"command":{"id":1,"seek":{"timeSeconds":2}}}`, want: Command{1, Seek{Time: 2 * time.Second}}},
	{json: `{"command":{"id":3,"seek":{"timeSeconds":1e300}}}`, code: InvalidArgument, field: "command.seek.time_seconds", id: 3},
	{json: `{"command":{"id":1,"goLive":{}}}`, want: Command{1, GoLive{}}},
	{json: `{"command":{"id":1,"setVolume":{"volume":1}}}`, want: Command{1, SetVolume{Volume: 1}}},
	{json: `{"command":{"id":3,"setVolume":{"volume":1.0001}}}`, code: InvalidArgument, field: "command.set_volume.volume", id: 3},
	{json: `{"command":{"id":1,"setMuted":{"muted":true}}}`, want: Command{1, SetMuted{Muted: true}}},
	{json: `{"command":{"id":1,"selectTracks":{"videoTrackId":0,"audioTrackId":2}}}`, want: Command{1, SelectTracks{Video: id(0), Audio: id(2)}}},
	{json: `{"command":{"id":1,"selectTracks":{}}}`, want: Command{1, SelectTracks{}}},
	{json: `{"command":{"id":1,"setLatencyTarget":{"latencyTargetMs":60000}}}`, want: Command{1, SetLatencyTarget{Target: time.Minute}}},
	{json: `{"command":{"id":1,"requestKeyframe":{}}}`, want: Command{1, RequestKeyframe{}}},
	{json: `{"command":{"id":1,"listStreams":{}}}`, want: Command{1, ListStreams{}}},
	{json: `{"command":{"id":1,"subscribeStreams":{"enabled":true}}}`, want: Command{1, SubscribeStreams{Enabled: true}}},
	{json: `{"command":{"id":4}}`, code: Unsupported, field: "command.body", id: 4},
	{json: `{"command":{"pause":{}}}`, code: InvalidArgument, field: "command.id"},

	{json: `{"ping":{"clientTimeUnixUs":"5"}}`, want: Ping{ClientTime: 5}},
	{json: `{"playbackReport":{"state":"PLAYER_STATE_PLAYING","latencyMs":1.5,"stalls":3}}`,
		want: Report{State: pb.PlayerState_PLAYER_STATE_PLAYING, Latency: 1500 * time.Microsecond, Stalls: 3}},
	{json: `{"playbackReport":{"bufferMs":"NaN"}}`, code: InvalidArgument, field: "playback_report.buffer_ms"},
	{json: `{"directiveResult":{"id":8,"done":{}}}`, want: DirectiveResult{ID: 8}},
	{json: `{"directiveResult":{"id":8,"error":{"code":"ERROR_CODE_UNSUPPORTED","message":"` + strings.Repeat("é", 300) + `"}}}`,
		want: DirectiveResult{ID: 8, Err: &Error{Code: Unsupported, Message: strings.Repeat("é", 250)}}},
	{json: `{"command":7}`, code: MalformedMessage},
	{json: `not JSON`, code: MalformedMessage},
}

func TestDecode(t *testing.T) {
	for _, c := range messages {
		check := func(e Encoding, data []byte) {
			got, err := e.Decode(data)
			if c.code != 0 {
				var d *DecodeError
				if !errors.As(err, &d) || d.Err.Code != c.code || d.Err.Field != c.field || d.ID != c.id || d.Err.Message == "" {
					t.Errorf("%v %.120s: got %+v, want %v of %q for %d", e, c.json, err, c.code, c.field, c.id)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v %.120s: got %+v, %v; want %+v", e, c.json, got, err, c.want)
			}
		}
		check(JSON, []byte(c.json))
		var m pb.ClientMessage
		if err := unmarshalJSON.Unmarshal([]byte(c.json), &m); err != nil {
			continue // not expressible in the other encoding
		}
		data, err := proto.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		check(Proto, data)
	}
}

// FuzzDecode holds that no input makes Decode panic, that errors say what is
// wrong, and that what comes out keeps to the schema's bounds.
func FuzzDecode(f *testing.F) {
	for _, c := range messages {
		f.Add([]byte(c.json))
		var m pb.ClientMessage
		if unmarshalJSON.Unmarshal([]byte(c.json), &m) == nil {
			data, err := proto.Marshal(&m)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, e := range []Encoding{Proto, JSON} {
			m, err := e.Decode(data)
			if err != nil {
				var d *DecodeError
				if !errors.As(err, &d) || d.Err.Code == 0 || d.Err.Message == "" || m != nil {
					t.Fatalf("error %#v beside %v", err, m)
				}
				// It can be told to the client.
				for _, out := range []Encoding{Proto, JSON} {
					out.Encode(Result{ID: d.ID, Err: d.Err})
				}
				continue
			}
			bounded(t, m)
		}
	})
}

func bounded(t *testing.T, m ClientMessage) {
	settings := func(s Settings) {
		if !(s.Volume >= 0 && s.Volume <= 1) || s.LatencyTarget < 0 || s.LatencyTarget > time.Minute {
			t.Fatalf("settings %+v", s)
		}
	}
	switch m := m.(type) {
	case Hello:
		settings(m.Settings)
		if len(m.ClientName) > 64 || len(m.Token) > 8192 {
			t.Fatalf("hello %+v", m)
		}
		if m.Resume != nil && media.CheckStreamName(m.Resume.Stream) != nil {
			t.Fatalf("resume %+v", m.Resume)
		}
	case Command:
		if m.ID == 0 || m.Body == nil {
			t.Fatalf("command %+v", m)
		}
		switch c := m.Body.(type) {
		case Play:
			if media.CheckStreamName(c.Stream) != nil || c.From == nil {
				t.Fatalf("play %+v", c)
			}
		case SetVolume:
			settings(Settings{Volume: c.Volume})
		case Seek:
			if c.Time < 0 || c.Time > maxSeconds*time.Second {
				t.Fatalf("seek %v", c.Time)
			}
		}
	}
}

// outgoing holds one of each kind.
var outgoing = []ServerMessage{
	Welcome{SessionID: "s", Server: "x", Time: time.Unix(1, 0), Limits: Limits{1, 2, 3, time.Second}},
	State{Stream: "a", Playback: Playing, Settings: Settings{Volume: 0.5, Muted: true, LatencyTarget: time.Second}, Video: 1, Audio: 2,
		Degradation: AudioOnly, Live: true, Undecodable: []uint32{3}, Position: time.Second, WindowStart: 1, WindowEnd: 2},
	Result{ID: 1}, Result{ID: 2, Err: &Error{Code: TooManyCommands, Message: "m", Field: "f", RetryAfter: time.Second}}, Result{ID: 3, Streams: &StreamList{}},
	Pong{1, 2, 3}, Gap{"a", GapTooSlow, time.Second, 2 * time.Second},
	StreamWaiting{"a", WaitingStarting, time.Unix(2, 0), "m"}, StreamEnded{"a", EndRemoved, "m"},
	StreamList{[]StreamInfo{{Name: "a", Status: StatusLive, Since: time.Unix(3, 0), Viewers: 4, Bitrate: 5,
		Epoch: &media.Epoch{Tracks: []media.Track{{ID: 1, Codec: media.H264, CodecString: "avc1.64001f", Timescale: 90000, Width: 2, Height: 2}}}}}},
	Directive{1, DirectivePlay{}}, Directive{2, DirectivePause{}}, Directive{3, SetVolume{0.5}}, Directive{4, SetMuted{true}},
	Directive{5, SwitchStream{"b"}}, Directive{6, GoLive{}}, Directive{7, ShowNotice{"t", time.Second}},
	Goodbye{Restarting, time.Second, "m"},
}

func TestEncodingsSayTheSame(t *testing.T) {
	for _, m := range outgoing {
		var fromProto, fromJSON pb.ServerMessage
		binary := Proto.Encode(m)
		if err := proto.Unmarshal(binary, &fromProto); err != nil {
			t.Fatal(err)
		}
		if err := protojson.Unmarshal(JSON.Encode(m), &fromJSON); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(&fromProto, &fromJSON) || fromProto.GetBody() == nil {
			t.Errorf("%T: %v in one encoding, %v in the other", m, &fromProto, &fromJSON)
		}
		recoded, err := JSON.Recode(binary)
		if err != nil || !json.Valid(recoded) {
			t.Errorf("%T recoded: %s, %v", m, recoded, err)
		}
	}
	if _, err := JSON.Recode([]byte{0xff}); err == nil {
		t.Error("garbage was recoded")
	}
}

func TestEveryGoodbyeReasonHasItsOwnCloseCode(t *testing.T) {
	codes := map[int]GoodbyeReason{}
	for number, name := range pb.GoodbyeReason_name {
		reason := GoodbyeReason(number)
		if reason == 0 {
			continue
		}
		code, ok := closeCodes[reason]
		if !ok {
			t.Errorf("%s has no close code", name)
		}
		if other, taken := codes[code]; taken {
			t.Errorf("%s and %v share code %d", name, other, code)
		}
		codes[code] = reason
	}
	if CloseCode(0) != 1011 {
		t.Error("an unset reason is not closed as an internal error")
	}
}
