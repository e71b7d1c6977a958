package mp4_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/mp4"
)

// clip is a file that ffmpeg makes, and what must be found in it.
type clip struct {
	name, file string
	args       []string
	codecs     string // codec strings, in order of the tracks
	again      string // arguments of a second run that copies the first's output
	seek       string // where the second run begins to copy, in seconds
	rotation   int
	refused    string // sample entry of a track that is not taken
}

func args(line string) []string { return strings.Fields(line) }

func clips() []clip {
	picture, tone := mediatest.Picture("320x180", 25, 1.2), mediatest.Tone(48000, 1.2)
	both := func(line string) []string { return mediatest.Args(picture, tone, args(line)) }
	video := func(line string) []string { return mediatest.Args(picture, args(line)) }
	audio := func(line string) []string { return mediatest.Args(tone, args(line)) }
	const x264 = "-pix_fmt yuv420p -c:v libx264 -preset fast -threads 1 "
	return []clip{
		{name: "H.264 with B-frames and AAC", file: "b.mp4", args: both(x264 + "-bf 3 -g 20 -c:a aac"), codecs: "avc1.64000c mp4a.40.2"},
		{name: "H.264 baseline", file: "baseline.mp4", args: video(x264 + "-profile:v baseline -g 10 -movflags +faststart"), codecs: "avc1.42c00c"},
		{name: "H.264 fragmented by frame", file: "f.mp4", args: both(x264 + "-bf 2 -g 20 -c:a aac -movflags frag_every_frame+empty_moov+default_base_moof"), codecs: "avc1.64000c mp4a.40.2"},
		{name: "H.264 fragmented, edits behind delayed moov", file: "d.mp4", args: both(x264 + "-bf 2 -g 20 -c:a aac -movflags frag_keyframe+delay_moov"), codecs: "avc1.64000c mp4a.40.2"},
		{name: "H.264 with first fragment in moov", file: "h.mp4", args: both(x264 + "-bf 2 -g 20 -c:a aac -movflags frag_keyframe"), codecs: "avc1.64000c mp4a.40.2"},
		{name: "H.265", file: "hevc.mp4", args: video("-pix_fmt yuv420p -c:v libx265 -x265-params log-level=none:keyint=20:pools=1 -preset ultrafast -tag:v hvc1"), codecs: "hvc1.1.6.L60.90"},
		{name: "H.265 10 bit as hev1", file: "hev1.mp4", args: video("-pix_fmt yuv420p10le -c:v libx265 -x265-params log-level=none:keyint=20:pools=1 -preset ultrafast -tag:v hev1"), codecs: "hvc1.2.4.L60.90"},
		{name: "AV1", file: "av1.mp4", args: both("-pix_fmt yuv420p -c:v libaom-av1 -cpu-used 8 -usage realtime -g 20 -b:v 200k -c:a libopus"), codecs: "av01.0.00M.08 opus"},
		{name: "AV1 with hidden frames", file: "svt.mp4", args: video("-pix_fmt yuv420p -c:v libsvtav1 -preset 12 -g 20 -svtav1-params lp=1"), codecs: "av01.0.00M.08"},
		{name: "VP9 and Opus", file: "vp9.mp4", args: both("-pix_fmt yuv420p -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 20 -b:v 200k -c:a libopus"), codecs: "vp09.00.11.08 opus"},
		{name: "VP9 4:4:4", file: "vp9-444.mp4", args: video("-pix_fmt yuv444p -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 20 -b:v 200k"), codecs: "vp09.01.11.08.03.02.02.02.00"},
		{name: "FLAC", file: "flac.mp4", args: audio("-c:a flac -strict -2"), codecs: "flac"},
		{name: "FLAC at 96 kHz", file: "flac96.mp4", args: audio("-ar 96000 -sample_fmt s32 -c:a flac -strict -2"), codecs: "flac"},
		{name: "MP3", file: "mp3.mp4", args: audio("-c:a libmp3lame"), codecs: "mp4a.6b"},
		{name: "MP3 in QuickTime", file: "mp3.mov", args: audio("-c:a libmp3lame"), codecs: "mp4a.6b"},
		{name: "AAC 5.1", file: "51.m4a", args: audio("-ac 6 -c:a aac"), codecs: "mp4a.40.2"},
		{name: "QuickTime with AAC", file: "q.mov", args: both(x264 + "-bf 2 -c:a aac"), codecs: "avc1.64000c mp4a.40.2"},
		{name: "QuickTime with AAC at 96 kHz", file: "q96.mov", args: audio("-ar 96000 -c:a aac"), codecs: "mp4a.40.2"},
		{name: "QuickTime with PCM", file: "pcm.mov", args: both(x264 + "-c:a pcm_s16le"), codecs: "avc1.64000c", refused: "sowt"},
		{name: "MPEG-4 part 2", file: "mp4v.mp4", args: both("-c:v mpeg4 -c:a aac"), codecs: "mp4a.40.2", refused: "mp4v"},
		{name: "turned", file: "turned.mp4", args: video(x264), again: "-metadata:s:v:0 rotate=90", codecs: "avc1.64000c", rotation: 270},
		{name: "turned the other way", file: "left.mp4", args: video(x264), again: "-metadata:s:v:0 rotate=270", codecs: "avc1.64000c", rotation: 90},
		{name: "upside down", file: "down.mp4", args: video(x264), again: "-metadata:s:v:0 rotate=180", codecs: "avc1.64000c", rotation: 180},
		{name: "begins in the middle of a group", file: "cut.mp4", args: both(x264 + "-bf 2 -g 25 -c:a aac"), again: "", seek: "0.6", codecs: "avc1.64000c mp4a.40.2"},
		{name: "wide pixels", file: "sar.mp4", args: video(x264 + "-vf setsar=4/3"), codecs: "avc1.64000c"},
		{name: "colour", file: "colour.mp4", args: video(x264 + "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range pc"), codecs: "avc1.64000c"},
		{name: "language", file: "deu.mp4", args: audio("-c:a aac -metadata:s:a language=deu"), codecs: "mp4a.40.2"},
	}
}

// lead is added to all decode times, which must not be negative in fragments.
const lead = time.Second

// readAll returns the tracks and samples of a file.
func readAll(t *testing.T, path string) (*mp4.File, []media.Sample) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := mp4.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var samples []media.Sample
	for c := f.Samples(); ; {
		s, err := c.Next()
		if err == io.EOF {
			return f, samples
		}
		if err != nil {
			t.Fatal(err)
		}
		samples = append(samples, s)
	}
}

// write makes a fragmented file, one sample to a fragment.
func write(t *testing.T, tracks []media.Track, samples []media.Sample) string {
	t.Helper()
	out, err := mp4.InitSegment(tracks)
	if err != nil {
		t.Fatal(err)
	}
	scale := map[uint32]uint32{}
	for _, track := range tracks {
		scale[track.ID] = track.Timescale
	}
	for i, s := range samples {
		f := mp4.Fragment{
			Sequence: uint32(i + 1), TrackID: s.TrackID,
			DecodeTime: s.DTS + media.Ticks(lead, scale[s.TrackID]), Samples: []media.Sample{s},
		}
		before := len(out)
		if out, err = mp4.AppendFragment(out, f); err != nil {
			t.Fatal(err)
		}
		if got := len(out) - before; got != mp4.FragmentSize(f) {
			t.Fatalf("FragmentSize tells %d, the fragment has %d bytes", mp4.FragmentSize(f), got)
		}
	}
	path := filepath.Join(t.TempDir(), "out.mp4")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRemuxedFilesHoldTheSamePackets(t *testing.T) {
	for _, c := range clips() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := mediatest.Make(t, c.file, c.args...)
			if c.again != "" || c.seek != "" {
				path = mediatest.Make(t, c.file, mediatest.Args(args("-ss 0"+c.seek), []string{"-i", path}, args("-c copy"), args(c.again))...)
			}
			file, samples := readAll(t, path)
			tracks := file.Tracks()
			var codecs []string
			for _, track := range tracks {
				codecs = append(codecs, track.CodecString)
				if track.Rotation != c.rotation && track.Kind() == media.Video {
					t.Errorf("rotation %d, want %d", track.Rotation, c.rotation)
				}
			}
			if got := strings.Join(codecs, " "); got != c.codecs {
				t.Errorf("codecs %s, want %s", got, c.codecs)
			}
			refused := ""
			for _, u := range file.Unsupported() {
				refused += u.Format
			}
			if refused != c.refused {
				t.Errorf("refused %q, want %q", file.Unsupported(), c.refused)
			}
			out := write(t, tracks, samples)
			mediatest.RequireDecodes(t, out)
			requireSame(t, tracks, samples, out)
			comparePackets(t, tracks, mediatest.ProbePackets(t, path), mediatest.ProbePackets(t, out), c.refused)
		})
	}
}

// requireSame reads our output back.
func requireSame(t *testing.T, tracks []media.Track, samples []media.Sample, path string) {
	t.Helper()
	again, got := readAll(t, path)
	scale := map[uint32]uint32{}
	for i, track := range again.Tracks() {
		if !track.Equal(&tracks[i]) || track.Language != tracks[i].Language {
			t.Errorf("track came back as\n%+v, was\n%+v", track, tracks[i])
		}
		scale[track.ID] = track.Timescale
	}
	if len(got) != len(samples) {
		t.Fatalf("%d samples came back of %d", len(got), len(samples))
	}
	for i, g := range got {
		w := samples[i]
		w.DTS += media.Ticks(lead, scale[w.TrackID])
		if g.TrackID != w.TrackID || g.DTS != w.DTS || g.Offset != w.Offset || g.Duration != w.Duration ||
			g.Keyframe != w.Keyframe || !bytes.Equal(g.Data, w.Data) {
			t.Fatalf("sample %d came back with times %d %d %d, had %d %d %d", i, g.DTS, g.Offset, g.Duration, w.DTS, w.Offset, w.Duration)
		}
	}
}

// known passes over what ffprobe says of a value that is not told.
func known(s, unknown string) string {
	if s == unknown {
		return ""
	}
	return s
}

// comparePackets holds our output against the original, stream by stream.
func comparePackets(t *testing.T, tracks []media.Track, want, got mediatest.Probed, refused string) {
	t.Helper()
	ours := 0
	for _, w := range want.Streams {
		if w.CodecTag == refused && refused != "" {
			continue
		}
		g := got.Streams[ours]
		track := tracks[ours]
		if g.CodecName != w.CodecName || g.Profile != w.Profile || g.Level != w.Level ||
			g.Width != w.Width || g.Height != w.Height || g.SampleRate != w.SampleRate || g.Channels != w.Channels ||
			known(g.SampleAspect, "1:1") != known(w.SampleAspect, "1:1") || g.ColorRange != w.ColorRange || g.ColorSpace != w.ColorSpace ||
			known(g.Tags["language"], "und") != known(w.Tags["language"], "und") || len(g.SideData) != len(w.SideData) {
			t.Errorf("stream %d is now\n%+v, was\n%+v", w.Index, g, w)
		}
		for i := range min(len(w.SideData), len(g.SideData)) {
			if g.SideData[i].Rotation != w.SideData[i].Rotation || (w.SideData[i].Rotation+track.Rotation)%360 != 0 {
				t.Errorf("turned by %d, was by %d, track says %d", g.SideData[i].Rotation, w.SideData[i].Rotation, track.Rotation)
			}
		}
		shift := media.Ticks(lead, track.Timescale)
		wantPackets, gotPackets := want.PacketsOf(w.Index), got.PacketsOf(ours)
		for len(wantPackets) > len(gotPackets) && strings.Contains(wantPackets[0].Flags, "D") {
			wantPackets = wantPackets[1:] // before the edit's start, and not needed to decode what follows
		}
		if len(wantPackets) != len(gotPackets) {
			t.Errorf("stream %d has %d packets, had %d", ours, len(gotPackets), len(wantPackets))
		}
		for i := range min(len(wantPackets), len(gotPackets)) {
			w, g := wantPackets[i], gotPackets[i]
			if *g.PTS != *w.PTS+shift || *g.DTS != *w.DTS+shift || g.Size != w.Size || g.Hash != w.Hash || g.Keyframe() != w.Keyframe() {
				t.Errorf("stream %d packet %d is now pts %d dts %d %+v, was pts %d dts %d %+v", ours, i, *g.PTS-shift, *g.DTS-shift, g, *w.PTS, *w.DTS, w)
				break
			}
		}
		ours++
	}
	if ours != len(got.Streams) {
		t.Errorf("%d streams, want %d", len(got.Streams), ours)
	}
}
