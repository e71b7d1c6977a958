package mpegts

import (
	"bytes"
	"context"
	"errors"

	"github.com/asticode/go-astits"
)

// maxTable bounds the packets of one table: sections are at most 1024 bytes
// (2.4.4.4, 2.4.4.9).
const maxTable = 8

// maxPrograms bounds the program maps that are looked at.
const maxPrograms = 64

// tables collects the packets of PAT and PMT and has go-astits read them, whenever
// they have changed.
type tables struct {
	pat    section
	pmts   map[uint16]*section // by PID, as the PAT lists them
	pmtPID uint16              // the one that is followed
	chosen bool
}

// section holds the packets of one table as they came.
type section struct {
	packets [][]byte // being collected
	need    int      // bytes of payload that the whole takes, 0 while not known
	counter uint8
	whole   []byte // the last that was complete, packets joined
	body    []byte // its payload, to tell whether it changed
	next    []byte // payload being collected
}

func (t *tables) isPMT(pid uint16) bool {
	_, ok := t.pmts[pid]
	return ok && (!t.chosen || pid == t.pmtPID)
}

// add takes in a packet of a table. It returns a program map that is new or has
// changed.
func (t *tables) add(p *astits.Packet, raw []byte) (*astits.PMTData, error) {
	if p.Header.PID == astits.PIDPAT {
		if t.pat.add(p, raw) {
			t.readPAT()
		}
		return nil, nil
	}
	s := t.pmts[p.Header.PID]
	if s == nil || !s.add(p, raw) {
		return nil, nil
	}
	pmt := t.read(append(bytes.Clone(t.pat.whole), s.whole...)).pmt
	if pmt == nil {
		s.body = nil // damaged: look at it again when it is repeated
		return nil, nil
	}
	if !t.chosen && !hasMedia(pmt) {
		return nil, nil // another program may have some
	}
	t.chosen, t.pmtPID = true, p.Header.PID
	return pmt, nil
}

// readPAT notes where the program maps are.
func (t *tables) readPAT() {
	pat := t.read(t.pat.whole).pat
	if pat == nil {
		t.pat.body = nil
		return
	}
	pmts := make(map[uint16]*section)
	for _, program := range pat.Programs {
		if program.ProgramNumber == 0 || len(pmts) == maxPrograms { // 0 is the network's
			continue
		}
		if known := t.pmts[program.ProgramMapID]; known != nil {
			pmts[program.ProgramMapID] = known
		} else {
			pmts[program.ProgramMapID] = &section{}
		}
	}
	t.pmts = pmts
	if _, still := pmts[t.pmtPID]; !still {
		t.chosen = false
	}
}

// contents is what packets of tables hold.
type contents struct {
	pat *astits.PATData
	pmt *astits.PMTData
}

func (t *tables) read(packets []byte) (c contents) {
	demuxer := astits.NewDemuxer(context.Background(), bytes.NewReader(packets), astits.DemuxerOptPacketSize(packetSize), astits.DemuxerOptLogger(silence{}))
	for range 4 * maxTable { // a bound; the packets end first
		data, err := demuxer.NextData()
		switch {
		case errors.Is(err, astits.ErrNoMorePackets):
			return c
		case err != nil:
			continue // a broken section
		case data.PAT != nil:
			c.pat = data.PAT
		case data.PMT != nil:
			c.pmt = data.PMT
		}
	}
	return c
}

// silence is a logger for go-astits, whose complaints come back as errors too.
type silence struct{}

func (silence) Fatal(...any)          {}
func (silence) Fatalf(string, ...any) {}
func (silence) Print(...any)          {}
func (silence) Printf(string, ...any) {}

// add takes in a packet and reports whether the section is whole with it and
// differs from the one before.
func (s *section) add(p *astits.Packet, raw []byte) bool {
	payload := p.Payload
	switch {
	case len(payload) == 0:
		return false
	case p.Header.PayloadUnitStartIndicator:
		s.packets, s.next, s.need = nil, nil, 0
	case len(s.packets) == 0 || p.Header.ContinuityCounter != (s.counter+1)&15 || len(s.packets) == maxTable:
		s.packets = nil
		return false
	}
	s.counter = p.Header.ContinuityCounter
	s.packets = append(s.packets, bytes.Clone(raw))
	s.next = append(s.next, payload...)
	if s.need == 0 {
		pointer := 1 + int(s.next[0])
		if pointer+3 > len(s.next) {
			return false
		}
		s.need = pointer + 3 + (int(s.next[pointer+1]&0x0f)<<8 | int(s.next[pointer+2]))
	}
	if len(s.next) < s.need {
		return false
	}
	body := s.next[:s.need]
	whole := bytes.Join(s.packets, nil)
	s.packets, s.next = nil, nil
	if bytes.Equal(body, s.body) {
		return false
	}
	s.body, s.whole = body, whole
	return true
}
