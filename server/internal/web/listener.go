package web

import (
	"context"
	"crypto/tls"
	"net"
)

// Listen returns a listener whose connections gather the writes of a session.
// Without it everything works, with a write for each message.
func Listen(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	remote := c.RemoteAddr()
	if r, ok := c.(relayed); ok {
		c = r.Unwrap()
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		limitUnsent(tcp)
	}
	return newConn(c, remote), nil
}

// relayed is a connection that differs from the one under it in its RemoteAddr
// alone: see proxy.Conn.
type relayed interface{ Unwrap() net.Conn }

type connKey struct{}

// ConnContext is for http.Server: it lets a handler find the Conn under a
// request.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if own, ok := c.(*Conn); ok {
		return context.WithValue(ctx, connKey{}, own)
	}
	return ctx
}

// connOf returns the Conn under a request, or nil.
func connOf(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}
