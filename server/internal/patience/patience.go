// Package patience bounds how long HTTP clients may take nothing of an answer, or
// give nothing of a request.
package patience

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"
)

// piece is how much of a file may go out under one deadline, so that what is cut
// off is a client that stands still and not one with a slow network.
const piece = 256 << 10

// Handler serves next with requests whose body has to be there within the timeout
// of when it is first read, and with a writer whose every write has to end within
// it. After one that has not, the connection is of no use any more, and the
// request's context is done.
//
// A deadline may be left on the connection: the server has to take it away before
// the connection's next request. See Forget.
func Handler(next http.Handler, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own := &writer{ResponseWriter: w, control: http.NewResponseController(w), timeout: timeout}
		// What the server itself writes at the end is bounded as well.
		defer own.begin()
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &body{ReadCloser: r.Body, control: own.control, timeout: timeout}
		}
		next.ServeHTTP(own, r)
	})
}

// Forget takes away the deadline that the request before has left on a connection
// of HTTP/1. Streams of HTTP/2 each have their own.
func Forget(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a writer that knows none has none
	}
}

// Seconds writes a time as Retry-After has it (RFC 9110 10.2.3), rounded up: whoever
// comes back sooner comes in vain.
func Seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// Await bounds the time that the body of a request may take which the handler does
// not read: net/http reads it, up to a size, before the first of the answer goes
// out, and without a bound of its own. A handler that does read it, through Handler
// or with deadlines of its own, is not bound by this. One that does not, and answers
// for longer than the timeout, is cut off then: a client has no reason to send a body
// to it.
func Await(w http.ResponseWriter, r *http.Request, timeout time.Duration) {
	if r.Body != nil && r.Body != http.NoBody {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(timeout)) // a writer that knows none has none
	}
}

// writer has a deadline while it writes, and none in between: a stream of HTTP/2
// ends with its deadline, written to or not.
type writer struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

// A writer that knows no deadlines is one of a test.
func (w *writer) begin() { _ = w.control.SetWriteDeadline(time.Now().Add(w.timeout)) }
func (w *writer) end()   { _ = w.control.SetWriteDeadline(time.Time{}) }

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(p)
	if err == nil { // otherwise what is left of the connection ends by the deadline
		w.end()
	}
	return n, err
}

// ReadFrom implements io.ReaderFrom, so that files go out without passing through
// the program.
func (w *writer) ReadFrom(r io.Reader) (total int64, err error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		limited = &io.LimitedReader{R: r, N: math.MaxInt64}
	}
	for limited.N > 0 {
		w.begin()
		part := io.LimitedReader{R: limited.R, N: min(limited.N, piece)}
		n, err := io.Copy(w.ResponseWriter, &part)
		total += n
		limited.N -= n
		if err != nil {
			return total, err
		}
		w.end()
		if part.N > 0 { // the reader has no more
			break
		}
	}
	return total, nil
}

// Flush implements http.Flusher.
func (w *writer) Flush() {
	w.begin()
	if w.control.Flush() == nil {
		w.end()
	}
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// body has a deadline until it has been read to its end: one that stayed on would
// end the request.
type body struct {
	io.ReadCloser
	control *http.ResponseController
	timeout time.Duration
	until   time.Time // zero before the first read
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.until.IsZero() {
		b.until = time.Now().Add(b.timeout)
	}
	_ = b.control.SetReadDeadline(b.until)
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
