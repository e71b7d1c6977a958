package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long files have to rest before they count as written: editors
// write in several steps.
const settle = 200 * time.Millisecond

// Watcher tells of changes of files.
type Watcher struct {
	fs    *fsnotify.Watcher
	files func() []string
	seen  map[string][sha256.Size]byte
}

// Watch begins to watch files. They may be replaced, removed and made anew; their
// folders have to exist. files is asked anew after each change. The Watcher has to
// be closed.
func Watch(files func() []string) (*Watcher, error) {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch the configuration: %w", err)
	}
	w := &Watcher{fs: fs, files: files, seen: make(map[string][sha256.Size]byte)}
	if err := w.follow(); err != nil {
		_ = fs.Close()
		return nil, err
	}
	return w, nil
}

// follow watches the files that there are now. Not them but their folders: who
// watches a file loses it when it is replaced.
func (w *Watcher) follow() error {
	files := w.files()
	for _, file := range files {
		if err := w.fs.Add(filepath.Dir(file)); err != nil {
			return fmt.Errorf("watch %s: %w", filepath.Dir(file), err)
		}
	}
	// Of those that were watched before, what has been acted on stays what counts.
	for file, sum := range contents(files) {
		if _, known := w.seen[file]; !known {
			w.seen[file] = sum
		}
	}
	maps.DeleteFunc(w.seen, func(file string, _ [sha256.Size]byte) bool { return !slices.Contains(files, file) })
	return nil
}

// Close ends the watching. It may be called more than once.
func (w *Watcher) Close() { _ = w.fs.Close() }

// Run calls changed whenever the content of one of the files has changed since
// Watch, until ctx is done. changed is to return when it has acted on that.
func (w *Watcher) Run(ctx context.Context, changed func()) error {
	rest := time.NewTimer(settle)
	rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.fs.Events:
			rest.Reset(settle)
		case err := <-w.fs.Errors: // events were lost
			if err != nil {
				rest.Reset(settle)
			}
		case <-rest.C:
			now := contents(w.files())
			if maps.Equal(w.seen, now) {
				continue
			}
			w.seen = now
			changed()
			if err := w.follow(); err != nil {
				return err
			}
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
	differs("tls (but for other files in place of cert and key)", !c.TLS.equal(&other.TLS))
	differs("metrics", c.Metrics != other.Metrics)
	differs("log", c.Log != other.Log)
	a, b := c.Limits.static(), other.Limits.static()
	differs("limits (but for viewers and the rate of handshakes)", a != b)
	p, q := &c.Publish, &other.Publish
	differs("publish.rtmp", p.RTMP != q.RTMP)
	differs("publish.rtmps", p.RTMPS != q.RTMPS)
	differs("publish.webrtc", p.WebRTC != q.WebRTC || fmt.Sprint(p.WebRTCHosts) != fmt.Sprint(q.WebRTCHosts))
	differs("opening or closing the ports for publishers", c.Publishing() != other.Publishing())
	return names
}
