// Package file plays media files in real time, over and over. MP4 and QuickTime
// files whose tracks play in browsers are read here; all others go through ffmpeg.
// What a file is, its content tells and not its name.
package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mp4"
	"github.com/framewire/framewire/server/internal/source/ffmpeg"
	"github.com/framewire/framewire/server/internal/source/playback"
)

// ErrNotMedia reports a file that holds neither video nor sound.
var ErrNotMedia = errors.New("neither video nor sound")

// Source plays one file.
type Source struct {
	path string
	once bool
	log  *slog.Logger
}

// New returns a source for the file, which need not exist yet.
func New(path string, log *slog.Logger) *Source {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Source{path: path, log: log}
}

// Once has the file played to its end, where Run returns nil, and not over and
// over.
func (s *Source) Once() *Source {
	s.once = true
	return s
}

// Path returns the file's path as configured.
func (s *Source) Path() string { return s.path }

// ContentType returns the MIME type of the file's content.
func ContentType(path string) (string, error) {
	detected, err := mimetype.DetectFile(path)
	if err != nil {
		return "", err
	}
	return detected.String(), nil
}

// Run implements media.Source.
func (s *Source) Run(ctx context.Context, sink media.Sink) error {
	if err := s.run(ctx, sink); err != nil && ctx.Err() == nil {
		return fmt.Errorf("play %s: %w", s.path, err)
	}
	return ctx.Err()
}

func (s *Source) run(ctx context.Context, sink media.Sink) error {
	input, err := os.Open(s.path)
	if err != nil {
		return unwrapPath(err)
	}
	defer input.Close()
	info, err := input.Stat()
	if err != nil {
		return unwrapPath(err)
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file (to read a pipe or a device, use exec: or ffmpeg:)")
	}
	kind, err := mimetype.DetectReader(input)
	if err != nil {
		return fmt.Errorf("recognise: %w", unwrapPath(err))
	}
	if !isMP4(kind) {
		if !mayBeMedia(kind) {
			return fmt.Errorf("%w: it is %s", ErrNotMedia, kind)
		}
		return s.convert(ctx, sink, false, kind.String())
	}
	file, err := mp4.Open(input, info.Size())
	if err != nil {
		return s.fallBack(ctx, sink, fmt.Errorf("read MP4: %w", err))
	}
	tracks, missing := choose(file)
	if missing == nil {
		return s.play(ctx, file, tracks, sink)
	}
	edited := slices.ContainsFunc(file.Unsupported(), func(u mp4.Unsupported) bool { return errors.Is(u.Err, mp4.ErrEdits) })
	err = s.convert(ctx, sink, edited, missing.Error())
	if errors.Is(err, ffmpeg.ErrMissing) && edited {
		first, end, e := file.FirstParts()
		if e != nil {
			return fmt.Errorf("read MP4: %w", e)
		}
		if some, without := choose(first); len(some) > 0 {
			s.log.Warn("only the beginning of the file is played: its edit list asks for more", "until", end,
				"left_out", cmp.Or(without, missing), "error", err)
			return s.play(ctx, first, some, sink)
		}
	}
	if errors.Is(err, ffmpeg.ErrMissing) && len(tracks) > 0 {
		s.log.Warn("part of the file will not be seen or heard everywhere", "reason", missing, "error", err)
		return s.play(ctx, file, tracks, sink)
	}
	return err
}

func (s *Source) play(ctx context.Context, file *mp4.File, tracks []media.Track, sink media.Sink) error {
	if s.once {
		return playback.Once(ctx, file, tracks, sink)
	}
	return playback.Loop(ctx, file, tracks, sink)
}

// convert plays the file through ffmpeg, which decodes all of it where that is asked
// for.
func (s *Source) convert(ctx context.Context, sink media.Sink, decode bool, why string) error {
	source, err := ffmpeg.New(ffmpeg.Options{Args: ffmpeg.File(s.path), Loop: !s.once, Encode: decode, Log: s.log})
	if err != nil {
		return err
	}
	s.log.Info("playing the file through ffmpeg", "reason", why)
	return source.Run(ctx, sink)
}

// fallBack tries ffmpeg on a file that could not be read, and says why it could
// not when ffmpeg cannot either.
func (s *Source) fallBack(ctx context.Context, sink media.Sink, cause error) error {
	if err := s.convert(ctx, sink, false, cause.Error()); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w (through ffmpeg: %w)", cause, err)
	}
	return ctx.Err()
}

// choose returns the tracks that play as they are, and what is missing then: not
// nil when a track of a kind is there but none of that kind can be played
// everywhere.
func choose(file *mp4.File) (tracks []media.Track, missing error) {
	var have [media.Audio + 1]bool
	var left []string
	for _, t := range file.Tracks() {
		if reason := unplayable(&t); reason != "" {
			left = append(left, reason)
			continue
		}
		tracks = append(tracks, t)
		if t.Codec == media.MP3 { // Media Source Extensions take it in Firefox alone
			left = append(left, "MP3 does not play out of MP4 in most browsers")
			continue
		}
		have[t.Kind()] = true
	}
	for _, u := range file.Unsupported() {
		if kind := u.Kind(); kind != 0 && !have[kind] {
			left = append(left, u.String())
		}
	}
	left = slices.DeleteFunc(left, func(string) bool { return have[media.Video] && have[media.Audio] })
	switch {
	case len(left) > 0:
		return tracks, errors.New(strings.Join(left, "; "))
	case len(tracks) == 0:
		return nil, ErrNotMedia
	default:
		return tracks, nil
	}
}

// profilesH264 are those that browsers decode, as they stand in codec strings:
// Baseline, Main, Extended and High. The rest have more bits or colours.
var profilesH264 = []string{"42", "4d", "58", "64"}

// unplayable says why browsers cannot play a track that MP4 can carry, or is
// empty.
func unplayable(t *media.Track) string {
	switch t.Codec {
	case media.VP8:
		return "VP8 does not play out of MP4"
	case media.H264:
		_, profile, _ := strings.Cut(t.CodecString, ".")
		if len(profile) >= 2 && !slices.Contains(profilesH264, strings.ToLower(profile[:2])) {
			return "H.264 of profile " + profile[:2] + " does not play in browsers"
		}
	}
	return ""
}

// isMP4 reports whether the type is of the family of ISO/IEC 14496-12.
func isMP4(kind *mimetype.MIME) bool {
	for ; kind != nil; kind = kind.Parent() {
		switch kind.String() {
		case "video/mp4", "video/quicktime", "audio/mp4", "audio/x-m4a", "video/x-m4v",
			"video/3gpp", "video/3gpp2":
			return true
		}
	}
	return false
}

// mayBeMedia reports whether ffmpeg should be asked. It would play text and
// archives in ways that no one means.
func mayBeMedia(kind *mimetype.MIME) bool {
	name, _, _ := strings.Cut(kind.String(), ";")
	family, _, _ := strings.Cut(name, "/")
	switch family {
	case "video", "audio", "image":
		return true
	}
	switch name {
	case "application/octet-stream", "application/ogg", "application/vnd.apple.mpegurl",
		"application/vnd.rn-realmedia-vbr", "application/mxf", "application/x-shockwave-flash":
		return true
	}
	return false
}

// unwrapPath takes the path out of an error that will be told with it.
func unwrapPath(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

var _ media.Source = (*Source)(nil)
