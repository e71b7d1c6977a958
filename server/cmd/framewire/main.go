// Framewire sends live video to web pages.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/framewire/framewire/server/internal/config"
)

// version is set when linking.
var version = "dev"

type cli struct {
	Serve   serveCmd   `cmd:"" default:"withargs" help:"Serve streams and the pages that play them."`
	Publish publishCmd `cmd:"" help:"Publish a source on a server, which may be another one."`
	Bench   benchCmd   `cmd:"" help:"Measure a server."`
	Ctl     ctlCmd     `cmd:"" help:"Steer a running server."`
	Token   tokenCmd   `cmd:"" help:"Make an access token."`
	Check   checkCmd   `cmd:"" name:"check-config" help:"Check a configuration."`
	Version versionCmd `cmd:"" help:"Print the version."`

	VersionFlag kong.VersionFlag `name:"version" short:"v" help:"Print the version."`
}

const description = `Live video to any web page over one WebSocket.

Without any source it serves an embedded demo: framewire serve, then open http://localhost:8080.`

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	var commands cli
	parser, err := kong.New(&commands,
		kong.Name("framewire"),
		kong.Description(description),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.Vars{"version": versionText()},
	)
	if err != nil {
		panic(err) // the commands above are wrong
	}
	command, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)

	// The first signal asks to stop in good order; a second one kills.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	command.BindTo(ctx, (*context.Context)(nil))

	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "framewire:", err)
		if errors.Is(err, config.ErrInvalid) {
			os.Exit(exitUsage)
		}
		os.Exit(exitFailure)
	}
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run() error {
	fmt.Println(versionText())
	return nil
}

// versionText is the version, the Go release and the commit, a line each.
func versionText() string {
	lines := []string{"framewire " + version}
	if info, ok := debug.ReadBuildInfo(); ok {
		lines = append(lines, "built with "+info.GoVersion)
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				lines = append(lines, "commit "+s.Value)
			}
		}
	}
	return strings.Join(lines, "\n")
}
