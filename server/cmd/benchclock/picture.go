package main

import (
	"fmt"
	"time"
)

const (
	width, height = 640, 360
	frameRate     = 30

	// frameBytes is the size of a picture in planar 4:2:0.
	frameBytes = width * height * 3 / 2

	black, white = 16, 235 // BT.601 luma
)

// painter draws pictures. It is used by one goroutine.
type painter struct {
	background []byte
	frame      []byte
}

func newPainter() *painter {
	p := &painter{background: make([]byte, frameBytes), frame: make([]byte, frameBytes)}
	luma, chroma := p.background[:width*height], p.background[width*height:]
	for y := range height {
		for x := range width {
			luma[y*width+x] = byte(40 + y*60/height + x*30/width)
		}
	}
	for i := range chroma {
		x, y := i%(width/2), i/(width/2)%(height/2)
		if i < len(chroma)/2 {
			chroma[i] = byte(118 + y*40/(height/2)) // Cb
		} else {
			chroma[i] = byte(108 + x*30/(width/2)) // Cr
		}
	}
	return p
}

// draw returns the picture with the given number, made at the given time. The
// slice is valid until the next call.
func (p *painter) draw(at time.Time, number int64) []byte {
	copy(p.frame, p.background)
	// A bar that takes two seconds across, for the eye and for the encoder.
	p.fill(int(number*width/(2*frameRate))%width, 8, 24, 48, white-30)
	p.text(68, 80, at.Format("15:04:05.000"))
	p.text(68, 152, fmt.Sprintf("%12d", number))
	if number%frameRate == 0 { // with the tick of the sound
		p.fill(0, 200, width, 8, white)
	}
	p.code(codeOf(at, number))
	return p.frame
}

func (p *painter) code(code uint64) {
	for i := range codeColumns * codeRows {
		luma := byte(black)
		if code>>(codeColumns*codeRows-1-i)&1 == 1 {
			luma = white
		}
		p.fill(codeLeft+i%codeColumns*codeCell, codeTop+i/codeColumns*codeCell, codeCell, codeCell, luma)
	}
}

// fill paints a rectangle, as much of it as lies in the picture.
func (p *painter) fill(x, y, w, h int, luma byte) {
	for row := max(y, 0); row < min(y+h, height); row++ {
		for column := max(x, 0); column < min(x+w, width); column++ {
			p.frame[row*width+column] = luma
		}
	}
}

const (
	digitWidth, digitHeight = 28, 48
	digitStroke             = 6
	digitAdvance            = 42
)

// segments of the digits 0 to 9: top, upper right, lower right, bottom, lower
// left, upper left, middle; lowest bit first.
var segments = [10]byte{0x3F, 0x06, 0x5B, 0x4F, 0x66, 0x6D, 0x7D, 0x07, 0x7F, 0x6F}

// text writes digits, colons and points in the manner of a digital clock.
func (p *painter) text(x, y int, s string) {
	const half = digitHeight / 2
	bars := [7][4]int{
		{0, 0, digitWidth, digitStroke},
		{digitWidth - digitStroke, 0, digitStroke, half},
		{digitWidth - digitStroke, half, digitStroke, half},
		{0, digitHeight - digitStroke, digitWidth, digitStroke},
		{0, half, digitStroke, half},
		{0, 0, digitStroke, half},
		{0, half - digitStroke/2, digitWidth, digitStroke},
	}
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			for i, b := range bars {
				if segments[r-'0']>>i&1 == 1 {
					p.fill(x+b[0], y+b[1], b[2], b[3], white-15)
				}
			}
		case r == ':':
			p.fill(x+digitWidth/2-3, y+12, digitStroke, digitStroke, white-15)
			p.fill(x+digitWidth/2-3, y+30, digitStroke, digitStroke, white-15)
		case r == '.':
			p.fill(x+digitWidth/2-3, y+digitHeight-digitStroke, digitStroke, digitStroke, white-15)
		}
		x += digitAdvance
	}
}
