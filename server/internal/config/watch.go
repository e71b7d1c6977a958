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

// longest is how long what is written without rest may put off that files are read: a
// folder that is always busy does not keep a change from being seen.
const longest = 2 * time.Second

// attempts bounds how often folders are looked for that come and go meanwhile.
const attempts = 4

// Watcher tells of changes of files.
type Watcher struct {
	fs       *fsnotify.Watcher
	files    func() []string
	skipped  func(error)
	followed map[string]bool
	seen     map[string][sha256.Size]byte

	// By real path: folders in which every event counts, and what counts besides.
	folders, names map[string]bool
	unwatched      map[string]bool // folders of which skipped was told
}

// Watch begins to watch files. They may be replaced, removed and made anew, and so
// may their folders. files is asked anew after each change. A folder that cannot be
// watched, such as one that may not be listed, is an error where it is that of the first
// file; for others, skipped is called, once while that lasts, and changes there are seen
// when something else changes. The Watcher has to be closed.
func Watch(files func() []string, skipped func(error)) (*Watcher, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch the configuration: %w", err)
	}
	w := &Watcher{fs: notify, files: files, skipped: skipped}
	now := w.files()
	if err := w.watch(now); err != nil {
		_ = notify.Close()
		return nil, err
	}
	w.followed, w.seen = set(now), contents(now)
	return w, nil
}

// watch watches files, and no others any more. Not them but their folders, or what there
// is of them: who watches a file loses it when it is replaced.
func (w *Watcher) watch(files []string) error {
	failed := make(map[string]error)
	for range attempts {
		spots := w.locate(files)
		clear(failed)
		moved := false
		for folder, at := range spots {
			err := w.fs.Add(at.real)
			if err != nil {
				failed[folder] = fmt.Errorf("watch %s: %w", folder, err)
			}
			moved = moved || errors.Is(err, fs.ErrNotExist) || err == nil && at.next != "" && exists(at.next)
		}
		if !moved {
			break
		}
	}
	before := w.unwatched
	w.unwatched = make(map[string]bool, len(failed))
	for i, file := range files {
		folder := filepath.Dir(file)
		err := failed[folder]
		if err == nil || w.unwatched[folder] {
			continue
		}
		if i == 0 {
			return err
		}
		w.unwatched[folder] = true
		if !before[folder] {
			w.skipped(err)
		}
	}
	return nil
}

// spot is where a folder is watched.
type spot struct {
	real string // the folder, or the nearest above it that is there
	next string // in the latter case, what has to appear in it
}

// locate finds out where the folders of files are to be watched and which events
// count there, and lets go of all others.
func (w *Watcher) locate(files []string) map[string]spot {
	spots := make(map[string]spot, len(files))
	w.folders, w.names = make(map[string]bool), make(map[string]bool)
	for _, file := range files {
		folder := filepath.Dir(file)
		at := find(folder)
		spots[folder] = at
		w.names[at.real] = true
		if at.next == "" {
			w.folders[at.real] = true
		} else {
			w.names[at.next] = true
		}
	}
	for _, watched := range w.fs.WatchList() {
		if !w.names[watched] {
			_ = w.fs.Remove(watched) // it may be gone
		}
	}
	return spots
}

// find returns where folder is to be watched. Paths are real ones, so that no folder
// is watched under two names: its events would bear one of them only.
func find(folder string) spot {
	if abs, err := filepath.Abs(folder); err == nil {
		folder = abs
	}
	next := ""
	at, err := filepath.EvalSymlinks(folder)
	for errors.Is(err, fs.ErrNotExist) && filepath.Dir(folder) != folder {
		next, folder = filepath.Base(folder), filepath.Dir(folder)
		at, err = filepath.EvalSymlinks(folder)
	}
	if err != nil {
		at = folder // to watch it tells what is wrong
	}
	if next != "" {
		next = filepath.Join(at, next)
	}
	return spot{real: at, next: next}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// heeds reports whether an event of what has that name may concern one of the files.
// In the folder of a file all may, because the file may be a link to a link there. In one
// that is watched because the next below it is missing, only that one does.
func (w *Watcher) heeds(name string) bool {
	name = filepath.Clean(name)
	return w.names[name] || w.folders[filepath.Dir(name)]
}

// Close ends the watching. It may be called more than once.
func (w *Watcher) Close() { _ = w.fs.Close() }

// rest tells when files have come to rest, or have been disturbed for too long.
type rest struct {
	timer *time.Timer
	since time.Time // when they were disturbed first; zero: they rest
}

func newRest() *rest {
	r := &rest{timer: time.NewTimer(settle)}
	r.timer.Stop()
	return r
}

// disturb has the timer fire later, but not later than longest after the first call
// since it fired.
func (r *rest) disturb() {
	now := time.Now()
	if r.since.IsZero() {
		r.since = now
	}
	r.timer.Reset(min(settle, longest-now.Sub(r.since)))
}

// fired notes that the timer did.
func (r *rest) fired() { r.since = time.Time{} }

// Run calls changed whenever the content of one of the files has changed since
// Watch, until ctx is done. changed is to return when it has acted on that, and to
// report whether it could: where it could not, and other files are watched from then
// on, it is called once more, because those may have been written meanwhile.
func (w *Watcher) Run(ctx context.Context, changed func() bool) error {
	rest := newRest()
	defer rest.timer.Stop()
	again := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-w.fs.Events:
			if w.heeds(event.Name) {
				rest.disturb()
			}
		case err := <-w.fs.Errors: // events were lost
			if err != nil {
				rest.disturb()
			}
		case <-rest.timer.C:
			rest.fired()
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
			others, more := w.follow()
			again = others && !acted
			if again || more {
				rest.disturb()
			}
		}
	}
}

// follow has what w knows of files follow them, and reports whether there is one that
// was not among them, and whether there is more to act on. Of those that were watched
// before, what has been acted on stays what counts.
func (w *Watcher) follow() (others, more bool) {
	files := w.files()
	_ = w.watch(files) // and again with the next event
	for file, sum := range contents(files) {
		seen, known := w.seen[file]
		if !known && !w.followed[file] {
			w.seen[file] = sum
			others = true
		} else if seen != sum {
			more = true
		}
	}
	w.followed = set(files)
	maps.DeleteFunc(w.seen, func(file string, _ [sha256.Size]byte) bool { return !w.followed[file] })
	return others, more
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
