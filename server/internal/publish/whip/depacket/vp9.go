package depacket

import "fmt"

// Bits of the payload descriptor's first byte (RFC 9628 4.2).
const (
	vp9PictureID   = 0x80
	vp9Inter       = 0x40
	vp9Layers      = 0x20
	vp9Flexible    = 0x10
	vp9Begin       = 0x08
	vp9End         = 0x04
	vp9Scalability = 0x02
)

// maxLayerFrames is what a superframe can index (VP9 annex B).
const maxLayerFrames = 8

type vp9Format struct{}

type vp9Descriptor struct {
	inter, begin, end bool
	spatial           uint8
}

func (vp9Format) Begins(payload []byte) bool {
	d, _, err := parseVP9(payload)
	return err == nil && d.begin && !d.inter && d.spatial == 0
}

// Join joins the frames of all spatial layers. More than one become a superframe,
// with the index that RTP leaves out.
func (vp9Format) Join(payloads [][]byte) ([]byte, error) {
	out := make([]byte, 0, size(payloads)+2+4*maxLayerFrames)
	var sizes []int
	open := false
	for i, p := range payloads {
		d, frame, err := parseVP9(p)
		switch {
		case err != nil:
		case d.begin == open:
			err = fmt.Errorf("a layer frame begins or goes on where it cannot")
		case d.begin && len(sizes) == maxLayerFrames:
			err = fmt.Errorf("more than %d layer frames", maxLayerFrames)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: VP9: packet %d: %w", ErrPayload, i, err)
		}
		if d.begin {
			sizes = append(sizes, 0)
		}
		out = append(out, frame...)
		sizes[len(sizes)-1] += len(frame)
		open = !d.end
	}
	if open {
		return nil, fmt.Errorf("%w: VP9: the last layer frame has no end", ErrPayload)
	}
	if len(sizes) > 1 {
		out = appendSuperframeIndex(out, sizes)
	}
	return out, nil
}

// appendSuperframeIndex follows annex B of the bitstream specification.
func appendSuperframeIndex(out []byte, sizes []int) []byte {
	const bytes = 4
	marker := byte(0b110<<5 | (bytes-1)<<3 | (len(sizes) - 1))
	out = append(out, marker)
	for _, n := range sizes {
		out = append(out, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
	return append(out, marker)
}

// parseVP9 takes the payload descriptor off.
func parseVP9(p []byte) (vp9Descriptor, []byte, error) {
	r := reader{rest: p}
	flags := r.byte()
	d := vp9Descriptor{inter: flags&vp9Inter != 0, begin: flags&vp9Begin != 0, end: flags&vp9End != 0}
	if flags&vp9PictureID != 0 && r.byte()&0x80 != 0 {
		r.skip(1)
	}
	if flags&vp9Layers != 0 {
		d.spatial = r.byte() >> 1 & 7
		if flags&vp9Flexible == 0 {
			r.skip(1) // TL0PICIDX
		}
	}
	if flags&vp9Flexible != 0 && d.inter {
		const most = 3
		for n := 1; r.byte()&1 != 0; n++ {
			if n == most {
				return d, nil, fmt.Errorf("more than %d reference indices", most)
			}
		}
	}
	if flags&vp9Scalability != 0 {
		r.skipScalability()
	}
	if r.short || len(r.rest) == 0 {
		return d, nil, fmt.Errorf("payload descriptor cut off after %d bytes", len(p))
	}
	return d, r.rest, nil
}

// skipScalability passes over the scalability structure (4.2.1).
func (r *reader) skipScalability() {
	head := r.byte()
	if head&0x10 != 0 { // Y: sizes of the layers
		r.skip(4 * (int(head>>5) + 1))
	}
	if head&0x08 != 0 { // G: the pictures of a group
		for range r.byte() {
			r.skip(int(r.byte() >> 2 & 3))
		}
	}
}

// reader reads bytes until there are no more, which it remembers.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.short = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) skip(n int) {
	if n > len(r.rest) {
		r.short, r.rest = true, nil
		return
	}
	r.rest = r.rest[n:]
}
