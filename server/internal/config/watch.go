package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long files have to rest before they count as written: editors
// write in several steps.
const settle = 200 * time.Millisecond

// Watch calls changed whenever the content of one of the files has changed, until
// ctx is done. Files may be replaced, removed and made anew; their folders have to
// exist. files is asked anew after each change.
func Watch(ctx context.Context, files func() []string, changed func()) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the configuration: %w", err)
	}
	defer func() { _ = watcher.Close() }()
	// Folders are watched: who watches a file loses it when it is replaced.
	follow := func() error {
		for _, file := range files() {
			if err := watcher.Add(filepath.Dir(file)); err != nil {
				return fmt.Errorf("watch %s: %w", filepath.Dir(file), err)
			}
		}
		return nil
	}
	if err := follow(); err != nil {
		return err
	}
	seen := contents(files())
	rest := time.NewTimer(settle)
	rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-watcher.Events:
			rest.Reset(settle)
		case err := <-watcher.Errors: // events were lost
			if err != nil {
				rest.Reset(settle)
			}
		case <-rest.C:
			now := contents(files())
			if maps.Equal(seen, now) {
				continue
			}
			seen = now
			changed()
			if err := follow(); err != nil {
				return err
			}
			seen = contents(files())
		}
	}
}

// contents tells the files apart from what they were: a link that points
// elsewhere counts as another content.
func contents(files []string) map[string][sha256.Size]byte {
	sums := make(map[string][sha256.Size]byte, len(files))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil { // a file that is not there has no content
			sums[file] = sha256.Sum256(data)
		}
	}
	return sums
}

// Static returns the names of the settings in which other differs from c and that
// take a restart to change.
func (c *Config) Static(other *Config) []string {
	var names []string
	differs := func(name string, is bool) {
		if is {
			names = append(names, name)
		}
	}
	differs("listen", c.Listen != other.Listen)
	differs("window", c.Window != other.Window)
	differs("max_stream_bytes", c.MaxStreamBytes != other.MaxStreamBytes)
	differs("tls", !c.TLS.equal(&other.TLS))
	differs("metrics", c.Metrics != other.Metrics)
	differs("log", c.Log != other.Log)
	a, b := c.Limits, other.Limits
	a.Viewers, a.ViewersPerStream, a.ViewersPerAddress, a.ViewersPerSubject = 0, 0, 0, 0
	b.Viewers, b.ViewersPerStream, b.ViewersPerAddress, b.ViewersPerSubject = 0, 0, 0, 0
	differs("limits (but for viewers)", a != b)
	p, q := &c.Publish, &other.Publish
	differs("publish.rtmp", p.RTMP != q.RTMP)
	differs("publish.rtmps", p.RTMPS != q.RTMPS)
	differs("publish.webrtc", p.WebRTC != q.WebRTC || fmt.Sprint(p.WebRTCHosts) != fmt.Sprint(q.WebRTCHosts))
	differs("opening or closing the ports for publishers", c.Publishing() != other.Publishing())
	return names
}
