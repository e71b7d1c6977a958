package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/coder/websocket"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/wire"
)

// serveProtocol opens a session on /ws.
func (s *Server) serveProtocol(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		explain(w, http.StatusUpgradeRequired, "This is the address of Framewire's protocol. Open it as a WebSocket with one of the subprotocols %s.", offered())
		return
	}
	if !offersSubprotocol(r) {
		explain(w, http.StatusBadRequest, "Open the WebSocket with one of the subprotocols %s; the request offers %q.",
			offered(), r.Header.Values("Sec-WebSocket-Protocol"))
		return
	}
	play := r.URL.Query().Get("stream")
	if play != "" {
		if err := media.CheckStreamName(play); err != nil {
			explain(w, http.StatusBadRequest, "The parameter stream is wrong: %v.", err)
			return
		}
	}
	refusal, curt := s.refusePage(r, play)
	if curt {
		explain(w, http.StatusForbidden, "%s", refusal.Message)
		return
	}
	if refusal == nil { // a page that may not play costs its visitors' address nothing
		hurry := s.opts.Gate.Admit("watch", addressOf(r))
		if hurry != nil && hurry.Curt {
			tooOften(w, hurry)
			return
		}
		if hurry != nil {
			refusal = &wire.Goodbye{Reason: wire.GoodbyeOverloaded, RetryAfter: hurry.Wait, Message: "Your address connects too often. Please come back a little later."}
		}
	}
	hj := &hijacker{ResponseWriter: w, own: connOf(r.Context())}
	ws, err := websocket.Accept(hj, r, &websocket.AcceptOptions{
		Subprotocols:       wire.Subprotocols(),
		InsecureSkipVerify: true, // refusePage has looked at the origin
	})
	if err != nil {
		s.log.Debug("WebSocket refused", "remote", r.RemoteAddr, "error", err)
		return
	}
	ws.SetReadLimit(-1) // socket has its own, which a session survives
	encoding, _ := wire.EncodingOf(strings.ToLower(ws.Subprotocol()))
	own := &socket{ws: ws, net: hj.conn, gather: hj.own, limit: s.messageBytes}
	peer := session.Peer{Address: r.RemoteAddr, Encoding: encoding, Play: play, Token: auth.TokenOf(r), Refusal: refusal}
	var conn session.Conn = own
	if own.gather != nil {
		own.gather.Gather()
		if net.Conn(own.gather) == own.net { // no TLS in between
			conn = direct{own}
		}
	}
	// Returning lets go of the request and of net/http's buffers and stack, which
	// are larger than all else that a viewer needs.
	serve := func() { s.sessions.Serve(conn, peer) }
	if !s.run(serve) {
		serve() // it begins with its end, and nobody waits for sessions any more
	}
}

func addressOf(r *http.Request) netip.Addr {
	remote, _ := netip.ParseAddrPort(r.RemoteAddr)
	return remote.Addr()
}

func offered() string { return strings.Join(wire.Subprotocols(), " and ") }

func offersSubprotocol(r *http.Request) bool {
	for _, header := range r.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(header, ",") {
			if _, ok := wire.EncodingOf(strings.ToLower(strings.TrimSpace(name))); ok {
				return true
			}
		}
	}
	return false
}

// Sizes of the buffers between the WebSocket library and the network. Control
// frames and the headers of data frames fit the first whole; everything else
// passes by a buffer that is too small for it. Clients send little.
const (
	writeBuffer = 160
	readBuffer  = 512
)

// hijacker keeps hold of the connection that the WebSocket library takes over,
// and gives it smaller buffers where Conn does the buffering.
type hijacker struct {
	http.ResponseWriter
	own  *Conn
	conn net.Conn
}

// Hijack is http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hj, ok := h.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("the connection cannot be taken over; is this HTTP/2?")
	}
	conn, rw, err := hj.Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take over the connection: %w", err)
	}
	h.conn = conn
	if h.own == nil || net.Conn(h.own) != conn { // with TLS in between, records should be large
		return conn, rw, nil
	}
	// What has been read already has to be in the new reader's buffer. A plain
	// io.Reader keeps bufio from handing back the large reader it is given.
	early := rw.Reader.Buffered()
	r := bufio.NewReaderSize(struct{ io.Reader }{rw.Reader}, max(readBuffer, early))
	if _, err := r.Peek(early); err != nil {
		return nil, nil, fmt.Errorf("take over the connection: %w", err)
	}
	return conn, bufio.NewReadWriter(r, bufio.NewWriterSize(conn, writeBuffer)), nil
}
