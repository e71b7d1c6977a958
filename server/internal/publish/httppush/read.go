package httppush

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/gabriel-vasile/mimetype"

	"github.com/framewire/framewire/server/internal/elementary"
	"github.com/framewire/framewire/server/internal/flv"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mp4"
	"github.com/framewire/framewire/server/internal/mpegts"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/webm"
)

const (
	// headSize is what recognition needs: three packets of MPEG-TS with their
	// longest form of error correction.
	headSize = 3 * 204

	// firstSize is enough to tell all other containers.
	firstSize = 16

	// maxKept bounds what is kept of the beginning for the converter, should it
	// turn out that nothing else can read it: headers come early.
	maxKept = 4 << 20
)

// containers is what is read without a converter.
const containers = "fragmented MP4, MPEG-TS, WebM or Matroska, and FLV"

// read finds out what the body is and reads it.
func read(ctx context.Context, body io.Reader, out *sink, convert Converter, log *slog.Logger) error {
	in := &rewinder{from: body, sink: out, keep: convert != nil}
	if err := in.peek(firstSize); err != nil {
		return err
	}
	demux, name := recognize(in.head)
	if demux == nil {
		if err := in.peek(headSize); err != nil {
			return err
		}
		demux, name = recognize(in.head)
	}
	if demux != nil {
		log.Info("publisher sends", "container", name)
		err := demux(in, out)
		if convert == nil || out.started || !isUnsupported(err) || in.kept == nil {
			return err
		}
		log.Info("publisher is read through the converter", "reason", err)
		return convert(ctx, in.kept, body, out)
	}
	kind := mimetype.Detect(in.head)
	switch {
	case !isMedia(kind):
		return fmt.Errorf("%w: the body looks like %s; supported are %s", publish.ErrUnsupported, kind, containers)
	case convert == nil:
		return fmt.Errorf("%w: the body looks like %s; supported are %s, and with ffmpeg on the server others",
			publish.ErrUnsupported, kind, containers)
	}
	log.Info("publisher is read through the converter", "container", kind.String())
	return convert(ctx, in.head, body, out)
}

// recognize returns what reads the container that a body begins like.
func recognize(head []byte) (demux func(io.Reader, media.Sink) error, name string) {
	switch {
	case webm.Recognize(head):
		return webm.Demux, "WebM"
	case bytes.HasPrefix(head, []byte("FLV\x01")):
		return flv.Demux, "FLV"
	case isMP4(head):
		return func(r io.Reader, s media.Sink) error { return mp4.Demux(r, s, mp4.Options{}) }, "MP4"
	case len(head) > 188 && mpegts.Recognize(head):
		return func(r io.Reader, s media.Sink) error { return mpegts.Demux(r, s, mpegts.Options{}) }, "MPEG-TS"
	default:
		return nil, ""
	}
}

// isMP4 reports whether a body begins with a box that comes first. What the
// project writes begins with ftyp; recorders of browsers, and segments, differ.
func isMP4(head []byte) bool {
	if kind := mimetype.Detect(head); kind.Is("video/mp4") || kind.Is("audio/mp4") || kind.Is("video/quicktime") {
		return true
	}
	return len(head) >= 8 && slices.Contains([]string{"ftyp", "styp", "moov", "free", "skip", "wide"}, string(head[4:8]))
}

// isMedia reports whether a converter may be given a body of this kind. Texts are
// playlists at best, which name other files for it to open.
func isMedia(kind *mimetype.MIME) bool {
	for k := kind; k != nil; k = k.Parent() {
		if k.Is("text/plain") {
			return false
		}
	}
	return true
}

// isUnsupported reports errors of demuxers that mean that the media may be right,
// but cannot be read by them.
func isUnsupported(err error) bool {
	for _, known := range []error{
		mp4.ErrNotFragmented, mp4.ErrNoTracks, mp4.ErrCodec, mpegts.ErrUnsupported, webm.ErrUnsupported,
		flv.ErrUnsupported, elementary.ErrNoTrack, elementary.ErrCodec,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// rewinder reads a body, and keeps what was read until media came out of it.
type rewinder struct {
	from io.Reader
	sink *sink
	keep bool
	head []byte // read, and not handed out yet
	kept []byte // everything read, nil when no longer kept
}

// peek makes head n bytes long, or as long as the body is.
func (r *rewinder) peek(n int) error {
	for len(r.head) < n {
		chunk := make([]byte, headSize)
		got, err := r.from.Read(chunk)
		r.head = append(r.head, chunk[:got]...)
		if errors.Is(err, io.EOF) {
			if len(r.head) == 0 {
				return fmt.Errorf("%w: the body is empty", publish.ErrMalformed)
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Read implements io.Reader.
func (r *rewinder) Read(p []byte) (n int, err error) {
	if len(r.head) > 0 {
		n = copy(p, r.head)
		r.head = r.head[n:]
	} else {
		n, err = r.from.Read(p)
	}
	if r.keep {
		if r.kept = append(r.kept, p[:n]...); r.sink.started || len(r.kept) > maxKept {
			r.keep, r.kept = false, nil
		}
	}
	return n, err
}
