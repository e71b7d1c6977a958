package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// pprofHeaderTimeout bounds how long a client may take over its request's header.
const pprofHeaderTimeout = 10 * time.Second

// pprofAddress takes a bare port to be of this machine alone: profiles tell what
// a server does, and making them slows it down.
func pprofAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return net.JoinHostPort("127.0.0.1", address)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// servePprof serves profiles of this process until the returned function is
// called.
func servePprof(address string, log *slog.Logger) (stop func(), err error) {
	l, err := net.Listen("tcp", pprofAddress(address))
	if err != nil {
		return nil, fmt.Errorf("--pprof: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: pprofHeaderTimeout}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("profiles are not served any more", "error", err)
		}
	}()
	log.Info("serving profiles", "open", "http://"+l.Addr().String()+"/debug/pprof/")
	return func() {
		_ = server.Close() // what is being fetched ends with the server
		<-ended
	}, nil
}

// withPprof runs f while profiles are served, if address is not empty.
func withPprof(ctx context.Context, address string, log *slog.Logger, f func(context.Context) error) error {
	if address == "" {
		return f(ctx)
	}
	stop, err := servePprof(address, log)
	if err != nil {
		return err
	}
	defer stop()
	return f(ctx)
}
