package rtmp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/framewire/framewire/server/internal/publish"
)

const (
	protocolVersion = 3 // 5.2.2
	encrypted       = 6 // RTMPE
	handshakeSize   = 1536
)

// handshake goes through the simple handshake (5.2). Clients that sign theirs,
// as Flash Player did, fall back to this one when the server gives version 0 in
// S1; what C2 says is not looked at, since several do not echo S1.
func handshake(rw io.ReadWriter, now time.Time) error {
	var c [1 + handshakeSize]byte
	if _, err := io.ReadFull(rw, c[:1]); err != nil {
		return fmt.Errorf("C0: %w", err)
	}
	if err := checkVersion(c[0]); err != nil {
		return err
	}
	if _, err := io.ReadFull(rw, c[1:]); err != nil {
		return fmt.Errorf("C1: %w", err)
	}
	s := make([]byte, 1+2*handshakeSize)
	s[0] = protocolVersion
	s1, s2 := s[1:1+handshakeSize], s[1+handshakeSize:]
	binary.BigEndian.PutUint32(s1, uint32(now.UnixMilli()))
	// The rest of S1 is to be told from other connections' (5.2.3); nothing
	// depends on its being unpredictable.
	for i := 8; i < len(s1); i += 8 {
		binary.BigEndian.PutUint64(s1[i:], uint64(now.UnixNano())*uint64(i))
	}
	// All of C1, also where 5.2.4 has the time at which C1 was read: OBS compares
	// the whole of it, and writes of a difference in its log.
	copy(s2, c[1:])
	if _, err := rw.Write(s); err != nil {
		return fmt.Errorf("S0 S1 S2: %w", err)
	}
	if _, err := io.ReadFull(rw, c[1:]); err != nil {
		return fmt.Errorf("C2: %w", err)
	}
	return nil
}

// checkVersion names the usual mistakes: the first byte tells them apart.
func checkVersion(c0 byte) error {
	var what string
	switch c0 {
	case protocolVersion:
		return nil
	case encrypted:
		what = "encrypted RTMP (RTMPE) is not supported; use rtmps://"
	case 0x16: // a TLS handshake record
		what = "the client speaks TLS to a port without; use rtmp://"
	case 'G', 'P', 'H', 'O':
		what = "the client speaks HTTP"
	default:
		what = fmt.Sprintf("handshake begins with %#02x, not with version 3", c0)
	}
	return fmt.Errorf("%w: %s", publish.ErrMalformed, what)
}

// isEnd reports whether an error of reading means that the other side is gone.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
