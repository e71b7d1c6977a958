package app

import (
	"log/slog"
	"strings"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/source/demo"
	"github.com/framewire/framewire/server/internal/source/ffmpeg"
	"github.com/framewire/framewire/server/internal/source/process"
)

type tempInfo struct{ File, Display string }
type tempSource struct {
	media.Source
	Info tempInfo
}

func tempParse(url string, log *slog.Logger) (tempSource, error) {
	if url == "demo:" {
		return tempSource{demo.New(), tempInfo{"", url}}, nil
	}
	args, err := process.Split(strings.TrimPrefix(url, "ffmpeg:"))
	if err != nil {
		return tempSource{}, err
	}
	f, err := ffmpeg.New(ffmpeg.Options{Args: args, Log: log})
	return tempSource{f, tempInfo{"", url}}, err
}
