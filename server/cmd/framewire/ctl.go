package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/framewire/framewire/gen/go/framewire/v1/framewirev1connect"
)

// ctlCmd steers a running server.
type ctlCmd struct {
	URL       string        `name:"url" help:"The server." default:"http://127.0.0.1:8080" env:"FRAMEWIRE_URL" placeholder:"URL"`
	Token     string        `help:"A token with the action admin, or control for directives and keyframes." env:"FRAMEWIRE_TOKEN" xor:"token" placeholder:"TOKEN"`
	TokenFile string        `help:"Read the token from this file." type:"existingfile" xor:"token" placeholder:"FILE"`
	JSON      bool          `name:"json" help:"Print what the server answers as JSON, one message a line."`
	Timeout   time.Duration `help:"Give up after this time." default:"15s" placeholder:"DURATION"`

	Info       ctlInfo       `cmd:"" help:"Tell what the server is, and how it does."`
	Streams    ctlStreams    `cmd:"" help:"List the streams."`
	Sessions   ctlSessions   `cmd:"" help:"List the viewers."`
	Publishers ctlPublishers `cmd:"" help:"List the publishers."`
	Add        ctlAdd        `cmd:"" help:"Add a stream with a source."`
	Remove     ctlRemove     `cmd:"" help:"Remove a stream, and end it for its viewers."`
	Restart    ctlRestart    `cmd:"" help:"Restart the source of a stream."`
	Keyframe   ctlKeyframe   `cmd:"" help:"Ask the source of a stream for a keyframe."`
	Kick       ctlKick       `cmd:"" help:"End a session, or with --publisher the publisher of a stream."`
	Directive  ctlDirective  `cmd:"" help:"Have players do something, and print each one's answer."`
	Events     ctlEvents     `cmd:"" help:"Print what happens, until interrupted."`
}

// service returns a client of the server.
func (c *ctlCmd) service() (framewirev1connect.AdminServiceClient, error) {
	token := c.Token
	if c.TokenFile != "" {
		data, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return nil, err
		}
		token = string(bytes.TrimSpace(data))
	}
	transport := http.DefaultTransport
	if token != "" {
		transport = bearer{token}
	}
	return framewirev1connect.NewAdminServiceClient(&http.Client{Transport: transport}, strings.TrimSuffix(c.URL, "/")), nil
}

// bearer adds a token to every request.
type bearer struct{ token string }

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}

// ask makes one call. Its answer is printed as JSON where that was asked for, and
// otherwise by print.
func ask[Q, A any](
	ctx context.Context, c *ctlCmd,
	method func(admin, context.Context, *connect.Request[Q]) (*connect.Response[A], error),
	question *Q, print func(*A),
) error {
	service, err := c.service()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	answer, err := method(service, ctx, connect.NewRequest(question))
	if err != nil {
		return explain(err)
	}
	if c.JSON {
		return printJSON(any(answer.Msg).(proto.Message))
	}
	print(answer.Msg)
	return nil
}

// explain says what to do about the commonest failures.
func explain(err error) error {
	switch connect.CodeOf(err) {
	case connect.CodeUnauthenticated:
		return fmt.Errorf("%w (make one with framewire token --actions admin, and give it with --token or FRAMEWIRE_TOKEN)", err)
	case connect.CodeUnavailable:
		return fmt.Errorf("%w (is it running? --url names another server)", err)
	default:
		return err
	}
}

func printJSON(m proto.Message) error {
	data, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return err
	}
	_, err = fmt.Println(string(data))
	return err
}

// table prints rows of columns, the first of which is the head.
func table(rows [][]string) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush() // to standard output; nothing is to be done about a failure
}

// sized writes bytes for people.
func sized(n uint64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprint(n, " B")
	}
	value, exponent := float64(n)/unit, 0
	for value >= unit && exponent < len("KMGT")-1 {
		value /= unit
		exponent++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[exponent])
}

// since writes how long ago a time in Unix microseconds was.
func since(us int64) string {
	if us == 0 {
		return "-"
	}
	return time.Since(time.UnixMicro(us)).Round(time.Second).String()
}

// short writes an enumeration's value without its prefix, in lower case.
func short(value fmt.Stringer, prefix string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(value.String(), prefix), "_", " "))
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
