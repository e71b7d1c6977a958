package flv

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// The types of tag (annex E.4.1). RTMP numbers its messages the same.
const (
	TagAudio      = 8
	TagVideo      = 9
	TagScriptAMF3 = 15
	TagScript     = 18
)

const (
	headerSize    = 9  // of the file
	tagHeaderSize = 11 // without PreviousTagSize
	backSize      = 4  // PreviousTagSize behind each tag

	// maxHeaderSize bounds DataOffset. Version 1 always has 9.
	maxHeaderSize = 4096

	// firstRead is how much is allocated for a tag before any of it is there.
	// Beyond it memory grows with the bytes that really come.
	firstRead = 256 << 10
)

// Tag is one tag of a file, or of an aggregate message.
type Tag struct {
	Type      uint8  // TagAudio, TagVideo, TagScript or something unknown
	Timestamp uint32 // milliseconds
	Body      []byte
}

// parseTagHeader reads the 11 bytes before a tag's body.
func parseTagHeader(b []byte) (t Tag, size int, err error) {
	const filtered, typeMask = 0x20, 0x1f
	if b[0]&filtered != 0 {
		return t, 0, fmt.Errorf("encrypted FLV is %w", ErrUnsupported)
	}
	t.Type = b[0] & typeMask
	size = int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	t.Timestamp = uint32(b[7])<<24 | uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[6])
	return t, size, nil
}

// Tags yields the tags of an aggregate message (RTMP 7.1.6), which share its
// memory. It ends after yielding an error.
func Tags(aggregate []byte) iter.Seq2[Tag, error] {
	return func(yield func(Tag, error) bool) {
		for at := 0; at < len(aggregate); {
			if len(aggregate)-at < tagHeaderSize {
				yield(Tag{}, fmt.Errorf("%w: aggregate: %d bytes behind the last tag", ErrMalformed, len(aggregate)-at))
				return
			}
			t, size, err := parseTagHeader(aggregate[at:])
			at += tagHeaderSize
			if err == nil && size > len(aggregate)-at {
				err = fmt.Errorf("%w: aggregate: tag of %d bytes with %d left", ErrMalformed, size, len(aggregate)-at)
			}
			if err != nil {
				yield(Tag{}, err)
				return
			}
			t.Body = aggregate[at : at+size : at+size]
			if !yield(t, nil) {
				return
			}
			at += size + backSize // the last one's back pointer may be missing
		}
	}
}

// Demux reads a file or stream to its end and fills the sink. It returns nil at
// an end between two tags. Errors wrap ErrMalformed, ErrUnsupported or
// io.ErrUnexpectedEOF, or are the reader's or the sink's own. It stops when the
// reader does; whoever wants it to stop closes that.
//
// Samples are captured when the last byte of their tag was read.
func Demux(r io.Reader, sink media.Sink) error {
	in := bufio.NewReader(r)
	d := NewDemuxer(sink)
	offset, err := readHeader(in, d)
	if err != nil {
		return err
	}
	for {
		tag, read, err := readTag(in, offset)
		if errors.Is(err, io.EOF) {
			return d.Flush()
		}
		if err != nil {
			// What is held was received whole, and is worth having.
			return errors.Join(err, d.Flush())
		}
		if err := d.Tag(tag, time.Now()); err != nil {
			return fmt.Errorf("tag at offset %d: %w", offset, err)
		}
		offset += read
	}
}

// Tag takes a tag, and when it arrived. Types that are not known are passed over.
func (d *Demuxer) Tag(t Tag, at time.Time) error {
	switch t.Type {
	case TagVideo:
		return d.Video(t.Timestamp, t.Body, at)
	case TagAudio:
		return d.Audio(t.Timestamp, t.Body, at)
	case TagScript:
		d.Metadata(t.Body)
	}
	return nil
}

// readHeader reads the file's header and returns its length.
func readHeader(in *bufio.Reader, d *Demuxer) (int64, error) {
	var b [headerSize]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return 0, fmt.Errorf("FLV header: %w", noEOF(err))
	}
	if !bytes.HasPrefix(b[:], []byte("FLV\x01")) {
		return 0, fmt.Errorf("%w: header begins with %q", ErrMalformed, b[:4])
	}
	size := binary.BigEndian.Uint32(b[5:])
	if size < headerSize || size > maxHeaderSize {
		return 0, fmt.Errorf("%w: header of %d bytes", ErrMalformed, size)
	}
	if _, err := in.Discard(int(size) - headerSize); err != nil {
		return 0, fmt.Errorf("FLV header: %w", noEOF(err))
	}
	const hasAudio, hasVideo = 4, 1
	d.expect(b[4]&hasVideo != 0, b[4]&hasAudio != 0)
	return int64(size), nil
}

// readTag reads the back pointer before a tag and the tag, not the one behind
// it: nobody needs that, and a writer may flush before it. It returns io.EOF
// only where a file may end.
func readTag(in *bufio.Reader, offset int64) (Tag, int64, error) {
	var b [backSize + tagHeaderSize]byte
	if n, err := io.ReadFull(in, b[:]); err != nil {
		if noEOF(err) == io.ErrUnexpectedEOF && (n == 0 || n == backSize) {
			return Tag{}, 0, io.EOF
		}
		return Tag{}, 0, fmt.Errorf("tag at offset %d: %w", offset, noEOF(err))
	}
	t, size, err := parseTagHeader(b[backSize:])
	if err == nil {
		switch t.Type {
		case TagAudio, TagVideo, TagScript, TagScriptAMF3:
		default:
			err = fmt.Errorf("%w: type %d", ErrMalformed, t.Type)
		}
	}
	if err == nil {
		t.Body, err = readBody(in, size)
	}
	if err != nil {
		return Tag{}, 0, fmt.Errorf("tag at offset %d: %w", offset, noEOF(err))
	}
	return t, int64(backSize + tagHeaderSize + size), nil
}

func readBody(in io.Reader, size int) ([]byte, error) {
	body := make([]byte, min(size, firstRead))
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, noEOF(err)
	}
	if rest := int64(size - len(body)); rest > 0 {
		grown := bytes.NewBuffer(body)
		if _, err := io.CopyN(grown, in, rest); err != nil {
			return nil, noEOF(err)
		}
		body = grown.Bytes()
	}
	return body, nil
}

// noEOF turns an end where more was due into io.ErrUnexpectedEOF.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
