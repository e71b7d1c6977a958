package main

import "math"

const (
	dialX, dialY, dialR = 985.0, 300.0, 150.0
	wireY               = 528.0
	stepsY              = 648.0
)

// drawFrame paints one frame. phase runs from 0 to 1 over the loop, beat counts
// seconds, and within runs from 0 to 1 over each.
func drawFrame(c *canvas, frame int) {
	phase := float64(frame) / frames
	beat, within := frame/frameRate, float64(frame%frameRate)/frameRate
	flash := math.Exp(-within * 5)

	background(c, phase)
	wire(c, phase, beat, flash)
	dial(c, beat, within, flash)
	steps(c, beat, within, flash)
}

// background is a dark slope with two slow lights on closed paths.
func background(c *canvas, phase float64) {
	turn := 2 * math.Pi * phase
	lights := []struct {
		x, y, r float64
		col     colour
		gain    float64
	}{
		{dialX + 60*math.Cos(turn), dialY + 40*math.Sin(turn), 430, violet, 0.30},
		{250 + 120*math.Sin(turn), 640 - 60*math.Cos(turn), 520, teal, 0.20},
	}
	for y := range height {
		row := mix(night, dusk, float64(y)/height*0.8)
		for x := range width {
			p := row
			for _, l := range lights {
				dx, dy := float64(x)-l.x, float64(y)-l.y
				q := 1 - (dx*dx+dy*dy)/(l.r*l.r)
				if q > 0 {
					p = mix(p, l.col, l.gain*q*q*q)
				}
			}
			c.pix[y*width+x] = p
		}
	}
}

// wire is a bundle of waves with frames riding along it, from the left edge to
// the right.
func wire(c *canvas, phase float64, beat int, flash float64) {
	waveAt := func(strand int, x float64) float64 {
		s := float64(strand)
		ends := math.Sin(math.Pi * x / width) // still at both edges
		return wireY + ends*(26*math.Sin(2*math.Pi*(x/640-phase*4)+s*1.1)+12*math.Sin(2*math.Pi*(x/410+phase*3)+s*0.7))
	}
	for strand := 2; strand >= 0; strand-- {
		alpha := 0.8 - 0.22*float64(strand)
		for x := range width {
			at := float64(x) + 0.5
			y := waveAt(strand, at)
			slope := waveAt(strand, at+1) - y
			half := 1.3 * math.Sqrt(1+slope*slope)
			col := paletteAt(at/width*0.8 - phase)
			for row := int(y - half - 1); row <= int(y+half+1); row++ {
				cover := min(1, max(0, half+0.5-math.Abs(float64(row)+0.5-y)))
				p := &c.pix[row*width+x]
				*p = mix(*p, col, alpha*cover)
			}
		}
	}
	const riders = 8
	for i := range riders {
		along := math.Mod(float64(i)/riders+phase*4, 1)
		x := -40 + along*(width+80)
		y := waveAt(0, x)
		col := paletteAt(x/width*0.8 - phase)
		glow := 0.10
		if (i+beat)%2 == 0 {
			glow += 0.35 * flash
		}
		c.roundRect(x, y, 62, 42, 12, col, glow)
		c.roundRect(x, y, 48, 30, 7, night, 1)
		c.roundRect(x, y, 44, 26, 5, mix(col, white, 0.15), 1)
		playMark(c, x, y, night)
	}
}

// playMark is the small triangle on a frame.
func playMark(c *canvas, cx, cy float64, col colour) {
	c.fill(cx-6, cy-7, cx+8, cy+7, col, 0.85, func(x, y float64) float64 {
		dx, dy := x-(cx-4), math.Abs(y-cy)
		return max(-dx, (dx*0.5+dy*0.87)-5.2)
	})
}

// dial is a ring that fills once a second, behind the running time.
func dial(c *canvas, beat int, within, flash float64) {
	c.ring(dialX, dialY, dialR+12+46*within, 2.5, paletteAt(float64(beat)/beats), 0.5*flash) // the beat, spreading
	c.disc(dialX, dialY, dialR+9, night, 0.45)
	c.ring(dialX, dialY, dialR, 10, slate, 0.9)
	c.arc(dialX, dialY, dialR, 10, within, func(at float64) colour {
		return paletteAt(float64(beat)/beats + at*0.3)
	})
	angle := 2 * math.Pi * within
	c.disc(dialX+dialR*math.Sin(angle), dialY-dialR*math.Cos(angle), 9+3*flash, white, 1)
	for tick := range 12 {
		a := 2 * math.Pi * float64(tick) / 12
		c.disc(dialX+(dialR-20)*math.Sin(a), dialY-(dialR-20)*math.Cos(a), 2, white, 0.35)
	}
}

// steps shows the melody: one bar a beat, as high as its note, lit as it sounds.
func steps(c *canvas, beat int, within, flash float64) {
	const left = 96.0
	const gap = (width - 2*left) / (beats - 1)
	for i, note := range melody {
		x := left + float64(i)*gap
		h := 16 + float64(note)*2.6
		c.roundRect(x, stepsY-h/2+20, 34, h, 8, slate, 0.85)
		if i <= beat {
			lit := 0.38
			if i == beat {
				lit = 0.5 + 0.5*flash
			}
			c.roundRect(x, stepsY-h/2+20, 34, h, 8, paletteAt(float64(i)/beats), lit)
		}
		if i == beat {
			c.roundRect(x, stepsY+32, 34*(1-within)+4, 4, 2, white, 0.9)
		}
	}
}
