// Command badnet puts a bad network between clients and a TCP server:
//
//	badnet --target 127.0.0.1:8080 --profile '{"down":{"delay_ms":20,"jitter_ms":20}}'
//
// It prints one line of JSON with the addresses it took,
//
//	{"listen":"127.0.0.1:40001","control":"127.0.0.1:40002"}
//
// and runs until it is interrupted. The profile is changed through HTTP on the
// control address: see badnet.Control.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/framewire/framewire/server/internal/badnet"
)

// controlTimeout bounds how long a control client may take over its request.
const controlTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "badnet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("badnet", flag.ContinueOnError)
	var o badnet.Options
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:0", "address for clients; port 0 takes a free one")
	flags.StringVar(&o.Target, "target", "", "address of the server")
	flags.Uint64Var(&o.Seed, "seed", 1, "decides what comes by chance")
	control := flags.String("control", "127.0.0.1:0", "loopback address of the control interface")
	profile := flags.String("profile", "{}", "the network's behaviour at first, as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.Target == "" {
		return errors.New("--target is missing: the address of the server, such as 127.0.0.1:8080")
	}
	d := json.NewDecoder(strings.NewReader(*profile))
	d.DisallowUnknownFields()
	if err := d.Decode(&o.Profile); err != nil {
		return fmt.Errorf("--profile: %w", err)
	}
	return serve(ctx, o, *control, stdout)
}

// serve runs the proxy and its control interface until ctx is done or one of
// them fails.
func serve(ctx context.Context, o badnet.Options, control string, stdout io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	controls, err := listenLoopback(control)
	if err != nil {
		return err
	}
	defer controls.Close()
	proxy, err := badnet.Listen(o)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:     badnet.Control(proxy),
		ReadTimeout: controlTimeout, WriteTimeout: controlTimeout,
	}
	failed := make(chan error, 1)
	go func() {
		failed <- server.Serve(controls)
		cancel()
	}()
	printed := json.NewEncoder(stdout).Encode(map[string]string{
		"listen": proxy.Addr().String(), "control": controls.Addr().String(),
	})
	if printed != nil {
		cancel()
	}
	err = proxy.Serve(ctx)
	server.Close()
	controlled := <-failed
	switch {
	case printed != nil:
		return fmt.Errorf("print addresses: %w", printed)
	case err == nil && !errors.Is(controlled, http.ErrServerClosed):
		return fmt.Errorf("serve control: %w", controlled)
	}
	return err
}

// listenLoopback refuses addresses that other machines could reach.
func listenLoopback(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		listener.Close()
		return nil, fmt.Errorf("control address %s is not on the loopback interface", listener.Addr())
	}
	return listener, nil
}
