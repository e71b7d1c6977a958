package main

import (
	"io"
	"math"
)

// colour is linear enough for blending soft light: components from 0 to 1.
type colour struct{ r, g, b float64 }

func rgb(hex uint32) colour {
	return colour{float64(hex>>16&255) / 255, float64(hex>>8&255) / 255, float64(hex&255) / 255}
}

func mix(a, b colour, t float64) colour {
	return colour{a.r + (b.r-a.r)*t, a.g + (b.g-a.g)*t, a.b + (b.b-a.b)*t}
}

var (
	night  = rgb(0x0a0e1c)
	dusk   = rgb(0x171b38)
	teal   = rgb(0x2dd4bf)
	blue   = rgb(0x60a5fa)
	violet = rgb(0xa78bfa)
	pink   = rgb(0xf472b6)
	amber  = rgb(0xfbbf24)
	white  = rgb(0xf4f7ff)
	slate  = rgb(0x2a3158)
)

// palette runs around the loop and closes on itself.
var palette = []colour{teal, blue, violet, pink, amber}

func paletteAt(t float64) colour {
	t = math.Mod(math.Mod(t, 1)+1, 1) * float64(len(palette))
	i := int(t)
	return mix(palette[i%len(palette)], palette[(i+1)%len(palette)], t-float64(i))
}

// canvas is one frame.
type canvas struct{ pix []colour }

func writeFrames(w io.Writer) error {
	c := &canvas{pix: make([]colour, width*height)}
	out := make([]byte, width*height*3)
	for frame := range frames {
		drawFrame(c, frame)
		for i, p := range c.pix {
			out[i*3], out[i*3+1], out[i*3+2] = to8(p.r), to8(p.g), to8(p.b)
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
	}
	return nil
}

func to8(v float64) byte { return byte(math.Round(255 * min(1, max(0, v)))) }

// fill paints a shape given by its signed distance in pixels (negative inside)
// within a box, with one pixel of smoothing at its edge.
func (c *canvas) fill(x0, y0, x1, y1 float64, col colour, alpha float64, distance func(x, y float64) float64) {
	c.paint(x0-1, y0-1, x1+1, y1+1, func(x, y float64) (colour, float64) {
		return col, alpha * min(1, max(0, 0.5-distance(x, y)))
	})
}

// paint blends what shade gives over the pixels of a box.
func (c *canvas) paint(x0, y0, x1, y1 float64, shade func(x, y float64) (colour, float64)) {
	for y := max(0, int(y0)); y < min(height, int(y1)+1); y++ {
		for x := max(0, int(x0)); x < min(width, int(x1)+1); x++ {
			col, alpha := shade(float64(x)+0.5, float64(y)+0.5)
			if alpha > 0 {
				p := &c.pix[y*width+x]
				*p = mix(*p, col, alpha)
			}
		}
	}
}

// disc, roundRect and arc draw the shapes that their names say.
func (c *canvas) disc(cx, cy, r float64, col colour, alpha float64) {
	c.fill(cx-r, cy-r, cx+r, cy+r, col, alpha, func(x, y float64) float64 {
		return math.Hypot(x-cx, y-cy) - r
	})
}

func (c *canvas) roundRect(cx, cy, w, h, r float64, col colour, alpha float64) {
	c.fill(cx-w/2, cy-h/2, cx+w/2, cy+h/2, col, alpha, func(x, y float64) float64 {
		dx, dy := math.Abs(x-cx)-w/2+r, math.Abs(y-cy)-h/2+r
		return math.Hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - r
	})
}

func (c *canvas) ring(cx, cy, r, thickness float64, col colour, alpha float64) {
	out := r + thickness
	c.fill(cx-out, cy-out, cx+out, cy+out, col, alpha, func(x, y float64) float64 {
		return math.Abs(math.Hypot(x-cx, y-cy)-r) - thickness/2
	})
}

// arc draws a ring's part from twelve o'clock clockwise over turn (0 to 1), with
// round ends, its colour running along it.
func (c *canvas) arc(cx, cy, r, thickness, turn float64, shade func(at float64) colour) {
	out := r + thickness
	endX, endY := cx+r*math.Sin(2*math.Pi*turn), cy-r*math.Cos(2*math.Pi*turn)
	c.paint(cx-out, cy-out, cx+out, cy+out, func(x, y float64) (colour, float64) {
		at := math.Atan2(x-cx, cy-y) / (2 * math.Pi)
		if at < 0 {
			at++
		}
		distance := math.Abs(math.Hypot(x-cx, y-cy)-r) - thickness/2
		if at > turn {
			nearStart, nearEnd := math.Hypot(x-cx, y-cy+r), math.Hypot(x-endX, y-endY)
			distance = min(nearStart, nearEnd) - thickness/2
			if nearStart < nearEnd {
				at = 0
			} else {
				at = turn
			}
		}
		return shade(at), min(1, max(0, 0.5-distance))
	})
}
