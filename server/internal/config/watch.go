package config

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long files have to rest before they count as written: editors
// write in several steps.
const settle = 200 * time.Millisecond

// Watcher tells of changes of files.
type Watcher struct {
	fs       *fsnotify.Watcher
	files    func() []string
	followed map[string]bool
	seen     map[string][sha256.Size]byte
}

// Watch begins to watch files. They may be replaced, removed and made anew, and so
// may their folders. files is asked anew after each change. The Watcher has to be
// closed.
func Watch(files func() []string) (*Watcher, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch the configuration: %w", err)
	}
	w := &Watcher{fs: notify, files: files}
	now := w.files()
	if err := w.watch(now); err != nil {
		_ = notify.Close()
		return nil, err
	}
	w.followed, w.seen = set(now), contents(now)
	return w, nil
}

// watch watches files. Not them but their folders, or what there is of them: who
// watches a file loses it when it is replaced.
func (w *Watcher) watch(files []string) error {
	for _, file := range files {
		folder := filepath.Dir(file)
		err := w.fs.Add(folder)
		for errors.Is(err, fs.ErrNotExist) && filepath.Dir(folder) != folder {
			folder = filepath.Dir(folder)
			err = w.fs.Add(folder)
		}
		if err != nil {
			return fmt.Errorf("watch %s: %w", folder, err)
		}
	}
	return nil
}

// Close ends the watching. It may be called more than once.
func (w *Watcher) Close() { _ = w.fs.Close() }

// Run calls changed whenever the content of one of the files has changed since
// Watch, until ctx is done. changed is to return when it has acted on that, and to
// report whether it could: where it could not, and other files are watched from then
// on, it is called once more, because those may have been written meanwhile.
func (w *Watcher) Run(ctx context.Context, changed func() bool) error {
	rest := time.NewTimer(settle)
	rest.Stop()
	again := false
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
			files := w.files()
			if err := w.watch(files); err != nil { // a folder may be there now
				return err
			}
			now := contents(files)
			if maps.Equal(w.seen, now) && !again {
				continue
			}
			w.seen = now
			acted := changed()
			if again = w.follow() && !acted; again {
				rest.Reset(settle)
			}
		}
	}
}

// follow has what w knows of files follow them, and reports whether there is one that
// was not among them. Of those that were watched before, what has been acted on stays what counts.
func (w *Watcher) follow() (others bool) {
	files := w.files()
	_ = w.watch(files) // and again with the next event
	for file, sum := range contents(files) {
		if _, known := w.seen[file]; !known {
			w.seen[file] = sum
			others = others || !w.followed[file]
		}
	}
	w.followed = set(files)
	maps.DeleteFunc(w.seen, func(file string, _ [sha256.Size]byte) bool { return !w.followed[file] })
	return others
}

func set(files []string) map[string]bool {
	s := make(map[string]bool, len(files))
	for _, file := range files {
		s[file] = true
	}
	return s
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
	differs("limits (but for those of viewers, addresses and subjects)", a != b)
	p, q := &c.Publish, &other.Publish
	differs("publish.rtmp", p.RTMP != q.RTMP)
	differs("publish.rtmps", p.RTMPS != q.RTMPS)
	differs("publish.webrtc", p.WebRTC != q.WebRTC || fmt.Sprint(p.WebRTCHosts) != fmt.Sprint(q.WebRTCHosts))
	differs("opening or closing the ports for publishers", c.Publishing() != other.Publishing())
	return names
}
