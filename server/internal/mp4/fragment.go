package mp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/framewire/framewire/server/internal/media"
)

// Fragment is what one CMAF chunk holds: consecutive samples of one track. A
// video frame, or up to 40 ms of sound.
type Fragment struct {
	// Sequence is the sequence_number of mfhd. It grows from chunk to chunk.
	Sequence uint32

	TrackID uint32

	// DecodeTime is the first sample's decode time in ticks of the track's
	// timescale. It is not negative. The DTS of samples is not looked at.
	DecodeTime int64

	// Samples are written in order. Of each, Offset, Duration, Keyframe and Data
	// count. At least one.
	Samples []media.Sample
}

// ErrFragment reports a Fragment that cannot be written.
var ErrFragment = errors.New("invalid fragment")

// Sizes in bytes of the boxes of a chunk (ISO/IEC 14496-12 8.8).
const (
	boxHeader     = 8
	fullBoxHeader = boxHeader + 4

	mfhdSize = fullBoxHeader + 4
	tfhdSize = fullBoxHeader + 4 + 4 + 4 // track, default duration and flags
	tfdtSize = fullBoxHeader + 8
	trunSize = fullBoxHeader + 4 + 4 // count, data offset; samples follow
)

// Flags of tfhd and trun (8.8.7.1, 8.8.8.1).
const (
	tfhdBaseDataOffset           = 0x000001
	tfhdDescriptionIndex         = 0x000002
	tfhdDefaultDuration          = 0x000008
	tfhdDefaultSize              = 0x000010
	tfhdDefaultFlags             = 0x000020
	tfhdDefaultBaseIsMoof        = 0x020000
	trunDataOffset               = 0x000001
	trunFirstFlags               = 0x000004
	trunDuration                 = 0x000100
	trunSampleSize               = 0x000200
	trunSampleFlags              = 0x000400
	trunOffset                   = 0x000800
	flagsSync             uint32 = 0x02000000 // sample_depends_on 2: others not needed
	flagsNonSync          uint32 = 0x01010000 // sample_depends_on 1, sample_is_non_sync_sample
	flagIsNonSync         uint32 = 0x00010000
)

func sampleFlags(s *media.Sample) uint32 {
	if s.Keyframe {
		return flagsSync
	}
	return flagsNonSync
}

// layout is what the samples need written for each of them. What all share
// stands once in tfhd.
type layout struct {
	perSample uint32 // trun flags
	rowBytes  int
	data      int64
}

func (f *Fragment) layout() layout {
	l := layout{perSample: trunSampleSize, rowBytes: 4}
	first := &f.Samples[0]
	for i := range f.Samples {
		s := &f.Samples[i]
		l.data += int64(len(s.Data))
		if s.Duration != first.Duration {
			l.perSample |= trunDuration
		}
		if s.Keyframe != first.Keyframe {
			l.perSample |= trunSampleFlags
		}
		if s.Offset != 0 {
			l.perSample |= trunOffset
		}
	}
	for _, flag := range [...]uint32{trunDuration, trunSampleFlags, trunOffset} {
		if l.perSample&flag != 0 {
			l.rowBytes += 4
		}
	}
	return l
}

func (l *layout) moofSize(samples int) int64 {
	return boxHeader + mfhdSize + boxHeader + tfhdSize + tfdtSize + trunSize + int64(samples)*int64(l.rowBytes)
}

// FragmentSize is the exact number of bytes AppendFragment appends for f, 0 for
// a fragment without samples.
func FragmentSize(f Fragment) int {
	if len(f.Samples) == 0 {
		return 0
	}
	l := f.layout()
	return int(l.moofSize(len(f.Samples)) + boxHeader + l.data)
}

// AppendFragment appends moof and mdat of f to dst. It allocates only when dst
// lacks room. On an error, which is an ErrFragment, dst is unchanged.
func AppendFragment(dst []byte, f Fragment) ([]byte, error) {
	if len(f.Samples) == 0 {
		return dst, fmt.Errorf("%w: no samples", ErrFragment)
	}
	if f.TrackID == 0 {
		return dst, fmt.Errorf("%w: track 0", ErrFragment)
	}
	if f.DecodeTime < 0 {
		return dst, fmt.Errorf("%w: decode time %d is negative", ErrFragment, f.DecodeTime)
	}
	l := f.layout()
	moof := l.moofSize(len(f.Samples))
	if moof+boxHeader+l.data > math.MaxInt32 { // data_offset is a signed 32-bit field
		return dst, fmt.Errorf("%w: %d samples of %d bytes exceed 2 GiB", ErrFragment, len(f.Samples), l.data)
	}
	be := binary.BigEndian
	trun := trunSize + len(f.Samples)*l.rowBytes
	traf := boxHeader + tfhdSize + tfdtSize + trun

	dst = appendBox(dst, uint32(moof), "moof")
	dst = appendFullBox(dst, mfhdSize, "mfhd", 0, 0)
	dst = be.AppendUint32(dst, f.Sequence)

	dst = appendBox(dst, uint32(traf), "traf")
	dst = appendFullBox(dst, tfhdSize, "tfhd", 0, tfhdDefaultBaseIsMoof|tfhdDefaultDuration|tfhdDefaultFlags)
	dst = be.AppendUint32(dst, f.TrackID)
	dst = be.AppendUint32(dst, f.Samples[0].Duration)
	dst = be.AppendUint32(dst, sampleFlags(&f.Samples[0]))

	dst = appendFullBox(dst, tfdtSize, "tfdt", 1, 0)
	dst = be.AppendUint64(dst, uint64(f.DecodeTime))

	dst = appendFullBox(dst, uint32(trun), "trun", 1, trunDataOffset|l.perSample)
	dst = be.AppendUint32(dst, uint32(len(f.Samples)))
	dst = be.AppendUint32(dst, uint32(moof+boxHeader))
	for i := range f.Samples {
		s := &f.Samples[i]
		if l.perSample&trunDuration != 0 {
			dst = be.AppendUint32(dst, s.Duration)
		}
		dst = be.AppendUint32(dst, uint32(len(s.Data)))
		if l.perSample&trunSampleFlags != 0 {
			dst = be.AppendUint32(dst, sampleFlags(s))
		}
		if l.perSample&trunOffset != 0 {
			dst = be.AppendUint32(dst, uint32(s.Offset))
		}
	}

	dst = appendBox(dst, uint32(boxHeader+l.data), "mdat")
	for i := range f.Samples {
		dst = append(dst, f.Samples[i].Data...)
	}
	return dst, nil
}

func appendBox(dst []byte, size uint32, name string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, size), name...)
}

func appendFullBox(dst []byte, size uint32, name string, version uint8, flags uint32) []byte {
	return binary.BigEndian.AppendUint32(appendBox(dst, size, name), uint32(version)<<24|flags)
}
