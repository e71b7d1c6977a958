package rtmp

import (
	"bytes"
	"context"
	"testing"
)

// OBS writes of a signature that does not match where S2 is not C1 to the byte.
func TestHandshakeEchoesAllOfC1(t *testing.T) {
	s := newScript(t)
	sent := s.buf.Bytes()[1 : 1+handshakeSize]
	for i := range sent {
		sent[i] = byte(i * 7)
	}
	c := &tape{}
	c.Reset(s.buf.Bytes())
	_ = New(newDesk(), Options{}).ServeConn(context.Background(), c)
	wrote := c.wrote.Bytes()
	if len(wrote) < 1+2*handshakeSize || !bytes.Equal(wrote[1+handshakeSize:][:handshakeSize], sent) {
		t.Error("S2 is not C1")
	}
}
