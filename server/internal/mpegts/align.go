package mpegts

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/asticode/go-astits"
)

const (
	packetSize = astits.MpegTsPacketSize
	syncByte   = 0x47

	// syncProbe is how many packets in a row have to begin with the sync byte for
	// it to be believed, and syncWindow how far is searched for the first. 204 is
	// the largest packet there is, with error correction behind it.
	syncProbe  = 3
	syncWindow = 204

	// maxGarbage is how much is passed over in search of the first packet, or of
	// the next after damage, before the input is taken for something else.
	maxGarbage = 1 << 20
)

// strides are the sizes of packets in use: plain, with a time code before (M2TS),
// with error correction behind.
var strides = [...]int{188, 192, 204}

// Recognize reports whether head looks like the beginning of a transport stream.
// It takes 3*204 bytes to tell for sure; fewer are believed if they agree.
func Recognize(head []byte) bool {
	_, _, ok := findSync(head, 1)
	return ok
}

// findSync looks for packets in data: the offset of the first and their stride. At
// least so many sync bytes beyond the first have to be there.
func findSync(data []byte, agree int) (offset, stride int, ok bool) {
	for offset := 0; offset < min(syncWindow, len(data)); offset++ {
		if data[offset] != syncByte {
			continue
		}
	next:
		for _, stride := range strides {
			found := 0
			for i := 1; i < syncProbe && offset+i*stride < len(data); i++ {
				if data[offset+i*stride] != syncByte {
					continue next
				}
				found++
			}
			if found >= agree {
				return offset, stride, true
			}
		}
	}
	return 0, 0, false
}

// aligner gives out whole packets of 188 bytes, one a Read, and finds them again
// after damage.
type aligner struct {
	in      *bufio.Reader
	stride  int // 0 while not in step
	skip    int // bytes between the last packet and the next
	packet  [packetSize]byte
	garbage int
	seen    bool  // there was a packet
	err     error // what ended the input
}

func newAligner(r io.Reader) *aligner {
	return &aligner{in: bufio.NewReaderSize(r, 64<<10)}
}

// last is the packet read last. It is valid until the next Read.
func (a *aligner) last() []byte { return a.packet[:] }

// Read implements io.Reader. p has to take a packet.
func (a *aligner) Read(p []byte) (int, error) {
	if len(p) < packetSize {
		return 0, io.ErrShortBuffer
	}
	if err := a.next(); err != nil {
		a.err = err
		return 0, err
	}
	return copy(p, a.packet[:]), nil
}

func (a *aligner) next() error {
	if _, err := a.in.Discard(a.skip); err != nil {
		return err
	}
	a.skip = 0
	for {
		if a.stride == 0 {
			if err := a.sync(); err != nil {
				return err
			}
		}
		first, err := a.in.Peek(1)
		if err != nil {
			return err
		}
		if first[0] != syncByte {
			a.stride = 0
			continue
		}
		if _, err := io.ReadFull(a.in, a.packet[:]); err != nil {
			return cutOff(err)
		}
		a.garbage, a.seen = 0, true
		a.skip = a.stride - packetSize // not now: they may come with the next packet only
		return nil
	}
}

// sync looks for the next packet.
func (a *aligner) sync() error {
	const probe = syncWindow + (syncProbe-1)*204
	for {
		head, err := a.in.Peek(probe)
		agree := syncProbe - 1
		if err != nil {
			if !errors.Is(err, io.EOF) || len(head) < packetSize {
				return cutOff(err)
			}
			agree = 0 // the last packets
		}
		offset, stride, ok := findSync(head, agree)
		if ok {
			_, _ = a.in.Discard(offset) // it was peeked at
			a.stride = stride
			return nil
		}
		if errors.Is(err, io.EOF) && a.seen {
			return io.EOF // garbage at the end
		}
		skip := min(len(head), syncWindow)
		if a.garbage += skip; a.garbage > maxGarbage || err != nil {
			return fmt.Errorf("%w: no packets found in %d bytes", ErrFormat, a.garbage)
		}
		_, _ = a.in.Discard(skip)
	}
}

// cutOff takes a packet that is cut off at the end of the input for the end.
func cutOff(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}
