package mp4

import (
	"github.com/framewire/framewire/server/internal/codec/av1"
	"github.com/framewire/framewire/server/internal/codec/h264"
	"github.com/framewire/framewire/server/internal/codec/h265"
	"github.com/framewire/framewire/server/internal/codec/vp9"
	"github.com/framewire/framewire/server/internal/media"
)

// pictureOf takes the coded picture's properties from the track's decoder
// configuration, and falls back to the size on show with square pixels where
// that does not tell. It never fails: these fields are hints.
func pictureOf(t *media.Track) picture {
	p := picture{width: t.Width, height: t.Height, parX: 1, parY: 1}
	switch t.Codec {
	case media.H264:
		config, err := h264.ParseConfig(t.Config)
		if err != nil || len(config.SPS) == 0 {
			return p
		}
		s, err := h264.ParseSPS(config.SPS[0])
		if err != nil {
			return p
		}
		p.code(s.Width, s.Height, s.SARWidth, s.SARHeight)
		if c := s.Colour; c != nil {
			p.colour = &colour{c.Primaries, c.Transfer, c.Matrix, c.FullRange}
		}
	case media.H265:
		config, err := h265.ParseConfig(t.Config)
		if err != nil || len(config.SPS) == 0 {
			return p
		}
		s, err := h265.ParseSPS(config.SPS[0])
		if err != nil {
			return p
		}
		p.code(s.Width, s.Height, s.SARWidth, s.SARHeight)
		if c := s.Colour; c != nil {
			p.colour = &colour{c.Primaries, c.Transfer, c.Matrix, c.FullRange}
		}
	case media.AV1:
		config, err := av1.ParseConfig(t.Config)
		if err != nil || config.SequenceHeader == nil {
			return p
		}
		s, err := av1.ParseSequenceHeader(config.SequenceHeader)
		if err != nil {
			return p
		}
		p.code(s.Width, s.Height, 1, 1)
		if c := s.Colour; c.Described {
			p.colour = &colour{c.Primaries, c.Transfer, c.Matrix, c.FullRange}
		}
	case media.VP9:
		const unspecified = 2
		if c, err := vp9.ParseConfig(t.Config); err == nil && c.Primaries != unspecified {
			p.colour = &colour{c.Primaries, c.Transfer, c.Matrix, c.FullRange}
		}
	}
	return p
}

// code sets the coded size. Where the track's size on show does not follow from
// it by the stream's own sample aspect ratio, the container had told another,
// which holds.
func (p *picture) code(width, height, sarX, sarY int) {
	if width < 1 || height < 1 || width > 0xffff || height > 0xffff {
		return
	}
	shownX, shownY := p.width, p.height
	p.width, p.height = width, height
	if (width*sarX+sarY/2)/sarY == shownX && height == shownY {
		p.parX, p.parY = sarX, sarY
		return
	}
	p.parX, p.parY = shownX*height, shownY*width
	g := gcd(p.parX, p.parY)
	p.parX, p.parY = p.parX/g, p.parY/g
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, 1)
}
