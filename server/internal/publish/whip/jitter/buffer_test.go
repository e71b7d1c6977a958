package jitter

import (
	"slices"
	"testing"
	"time"
)

const wait = 300 * time.Millisecond

var start = time.Unix(1_700_000_000, 0)

// step is what happens at a moment: packets come in, and those expected go out.
type step struct {
	at   time.Duration
	push []uint16
	pop  []uint16
	lost []uint16 // of pop, those handed out with word of a loss before them
	nack []uint16
}

func TestOrder(t *testing.T) {
	ms := time.Millisecond
	for name, steps := range map[string][]step{
		"in order, at once": {
			{push: []uint16{10}, pop: []uint16{10}},
			{at: ms, push: []uint16{11, 12}, pop: []uint16{11, 12}},
		},
		"two swapped": {
			{push: []uint16{10, 12}, pop: []uint16{10}, nack: []uint16{11}},
			{at: ms, push: []uint16{11}, pop: []uint16{11, 12}},
		},
		"duplicates": {
			{push: []uint16{10, 10, 12, 12}, pop: []uint16{10}, nack: []uint16{11}},
			{at: ms, push: []uint16{11, 11, 10}, pop: []uint16{11, 12}},
		},
		"over the wrap": {
			{push: []uint16{65534, 0, 1}, pop: []uint16{65534}, nack: []uint16{65535}},
			{at: ms, push: []uint16{65535, 2}, pop: []uint16{65535, 0, 1, 2}},
		},
		"asked again, then given up": {
			{push: []uint16{10, 12}, pop: []uint16{10}, nack: []uint16{11}},
			{at: 39 * ms},
			{at: 40 * ms, nack: []uint16{11}},
			{at: 299 * ms, push: []uint16{13}, nack: []uint16{11}},
			{at: 300 * ms, pop: []uint16{12, 13}, lost: []uint16{12}},
			{at: 301 * ms, push: []uint16{11, 14}, pop: []uint16{14}},
		},
		"two gaps, one given up": {
			{push: []uint16{10, 13}, pop: []uint16{10}, nack: []uint16{11, 12}},
			{at: 200 * ms, push: []uint16{15, 12}, nack: []uint16{11, 14}},
			{at: 300 * ms, pop: []uint16{12, 13}, lost: []uint16{12}, nack: []uint16{14}},
			{at: 310 * ms, push: []uint16{14}, pop: []uint16{14, 15}},
		},
		"gaps of different age side by side": {
			{push: []uint16{10, 12}, pop: []uint16{10}, nack: []uint16{11}},
			{at: 200 * ms, push: []uint16{14}, nack: []uint16{11, 13}},
			{at: 300 * ms, pop: []uint16{12}, lost: []uint16{12}, nack: []uint16{13}},
			{at: 500 * ms, pop: []uint16{14}, lost: []uint16{14}},
		},
		"a jump ahead": {
			{push: []uint16{10, 12}, pop: []uint16{10}, nack: []uint16{11}},
			{at: ms, push: []uint16{5000, 5001}, pop: []uint16{5000, 5001}, lost: []uint16{5000}},
		},
	} {
		t.Run(name, func(t *testing.T) { runSteps(t, steps) })
	}
}

func runSteps(t *testing.T, steps []step) {
	b := New(wait)
	for i, s := range steps {
		now := start.Add(s.at)
		for _, n := range s.push {
			b.Push(Packet{Sequence: n, Arrived: now})
		}
		var popped, lost []uint16
		for {
			p, l, ok := b.Pop(now)
			if !ok {
				break
			}
			popped = append(popped, p.Sequence)
			if l {
				lost = append(lost, p.Sequence)
			}
		}
		if !slices.Equal(popped, s.pop) || !slices.Equal(lost, s.lost) {
			t.Errorf("step %d: handed out %v (behind a loss: %v), want %v (%v)", i, popped, lost, s.pop, s.lost)
		}
		if nack := b.Missing(nil, now); !slices.Equal(nack, s.nack) {
			t.Errorf("step %d: asks for %v, want %v", i, nack, s.nack)
		}
		if due := b.Due(); (b.missing > 0) != !due.IsZero() {
			t.Errorf("step %d: %d missing, and due %v", i, b.missing, due)
		}
	}
}

func TestFollowsSenderThatBeginsNewNumbering(t *testing.T) {
	b := New(wait)
	b.Push(Packet{Sequence: 30000, Arrived: start})
	b.Pop(start)
	var got []uint16
	for n := uint16(100); n < 300; n++ {
		b.Push(Packet{Sequence: n, Arrived: start})
		for {
			p, lost, ok := b.Pop(start)
			if !ok {
				break
			}
			if lost != (len(got) == 0) {
				t.Errorf("packet %d: lost %v", n, lost)
			}
			got = append(got, p.Sequence)
		}
	}
	if len(got) != 200-restartRun+1 {
		t.Errorf("%d packets handed out after the new beginning", len(got))
	}
}

// FuzzBuffer pushes packets in any order at any time, and checks that what comes
// out grows, that nothing is handed out twice, and that the counts hold.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 3, 0, 2, 0})
	f.Add([]byte{255, 1, 0, 2, 1, 0, 250, 200, 3, 3})
	f.Fuzz(func(t *testing.T, script []byte) {
		b := New(wait)
		now := start
		sequence := uint16(65500)
		var last int64 = -1
		for i := 0; i+1 < len(script); i += 2 {
			sequence += uint16(int8(script[i])) * (1 + uint16(script[i+1]>>6)*100)
			now = now.Add(time.Duration(script[i+1]&63) * 8 * time.Millisecond)
			b.Push(Packet{Sequence: sequence, Arrived: now})
			for {
				before := b.next
				p, lost, ok := b.Pop(now)
				if !ok {
					break
				}
				if b.next-1 <= last && !lost || b.next <= before {
					t.Fatalf("packet %d handed out after %d", b.next-1, last)
				}
				last = b.next - 1
				if uint16(last) != p.Sequence {
					t.Fatalf("packet %d in place of %d", p.Sequence, uint16(last))
				}
			}
			b.Missing(nil, now)
			b.check(t)
		}
	})
}

func (b *Buffer) check(t *testing.T) {
	t.Helper()
	held, missing := 0, 0
	for n := b.next; n <= b.highest; n++ {
		if b.slot(n).have {
			held++
		} else {
			missing++
		}
	}
	if held != b.held || missing != b.missing {
		t.Fatalf("%d held and %d missing, counted as %d and %d", held, missing, b.held, b.missing)
	}
}
