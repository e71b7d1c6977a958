package config

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// watching is a Watcher of files that runs; changes tells of each change. unwatched are
// the errors of folders that it skipped.
type watching struct {
	*Watcher
	changes   chan struct{}
	unwatched []error
	end       func() error // ends the run, once, and returns its error
}

func watchFiles(t *testing.T, files ...string) *watching {
	t.Helper()
	w := &watching{changes: make(chan struct{})}
	var err error
	w.Watcher, err = Watch(func() []string { return files }, func(err error) { w.unwatched = append(w.unwatched, err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// run runs w until the test is over, or end is called.
func (w *watching) run(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- w.Run(ctx, func() bool {
			select {
			case w.changes <- struct{}{}:
			case <-ctx.Done():
			}
			return true
		})
	}()
	ended := false
	w.end = func() error {
		if ended {
			return nil
		}
		ended = true
		stop()
		return <-done
	}
	t.Cleanup(func() {
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

func (w *watching) changed(t *testing.T) {
	t.Helper()
	select {
	case <-w.changes:
	case <-time.After(20 * time.Second):
		t.Fatal("the change was not seen")
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func folder(t *testing.T, path ...string) string {
	t.Helper()
	p := filepath.Join(path...)
	if err := os.MkdirAll(p, 0o700); err != nil {
		t.Fatal(err)
	}
	return p
}

func link(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}

// realDir is a folder for a test by its real path.
func realDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// What cannot be watched, but for the configuration itself, is told once, and the rest
// is watched all the same.
func TestFolderThatCannotBeWatchedIsSkipped(t *testing.T) {
	t.Parallel()
	cases := map[string]func(t *testing.T, dir string) (folder string){
		"below a file": func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "plain"), "")
			return filepath.Join(dir, "plain", "tls")
		},
		"link to itself": func(t *testing.T, dir string) string {
			link(t, "loop", filepath.Join(dir, "loop"))
			return filepath.Join(dir, "loop")
		},
	}
	if os.Geteuid() != 0 { // root may list any folder
		cases["not to be listed"] = func(t *testing.T, dir string) string {
			f := folder(t, dir, "private")
			write(t, filepath.Join(f, "key"), "")
			if err := os.Chmod(f, 0o300); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(f, 0o700) })
			return f
		}
	}
	for name, prepare := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := realDir(t)
			file := filepath.Join(folder(t, dir, "etc"), "framewire.yaml")
			write(t, file, "a")
			bad := prepare(t, dir)
			w := watchFiles(t, file, filepath.Join(bad, "cert"), filepath.Join(bad, "key"))
			w.run(t)
			for _, text := range []string{"b", "c"} {
				write(t, file, text)
				w.changed(t)
			}
			if err := w.end(); err != nil {
				t.Error(err)
			}
			if len(w.unwatched) != 1 || !strings.Contains(w.unwatched[0].Error(), bad) {
				t.Errorf("skipped %v, want %s once", w.unwatched, bad)
			}
			_, err := Watch(func() []string { return []string{filepath.Join(bad, "framewire.yaml"), file} },
				func(err error) { t.Errorf("skipped: %v", err) })
			if err == nil || !strings.Contains(err.Error(), bad) {
				t.Errorf("watching the configuration's own folder: error %v, want one that names %s", err, bad)
			}
		})
	}
}

// For a folder that is missing those above it are watched, but only for what is on the
// way to it, and only until it is there.
func TestFolderAboveAMissingOneCountsForThatOnly(t *testing.T) {
	t.Parallel()
	dir := realDir(t)
	file := filepath.Join(folder(t, dir, "etc"), "framewire.yaml")
	write(t, file, "a")
	cert := filepath.Join(dir, "lib", "tls", "cert")
	w := watchFiles(t, file, cert)
	for name, want := range map[string]bool{
		file:                                    true,
		filepath.Join(dir, "etc", "..data"):     true, // a file may be a link through that
		filepath.Join(dir, "etc"):               true,
		filepath.Join(dir, "lib"):               true,
		dir:                                     true,
		filepath.Join(dir, "busy"):              false,
		filepath.Join(dir, "library"):           false,
		filepath.Join(dir, "etc", "x", "deep"):  false,
		filepath.Join(filepath.Dir(dir), "lib"): false,
	} {
		if got := w.heeds(name); got != want {
			t.Errorf("heeds %s: %t, want %t", name, got, want)
		}
	}
	w.run(t)
	write(t, filepath.Join(folder(t, dir, "lib", "tls"), "cert"), "a")
	w.changed(t)
	write(t, cert, "b")
	w.changed(t)
	if err := os.RemoveAll(filepath.Join(dir, "lib")); err != nil {
		t.Fatal(err)
	}
	w.changed(t)
	write(t, filepath.Join(folder(t, dir, "lib", "tls"), "cert"), "c")
	w.changed(t)
	if err := w.end(); err != nil {
		t.Error(err)
	}
	got, want := w.fs.WatchList(), []string{filepath.Join(dir, "etc"), filepath.Join(dir, "lib", "tls")}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("watched in the end: %q, want %q", got, want)
	}
}

// Files may be links to a link that is exchanged, as where a cluster mounts them, and
// folders may go by several names.
func TestLinksAreFollowed(t *testing.T) {
	t.Parallel()
	dir := realDir(t)
	write(t, filepath.Join(folder(t, dir, "etc", "..1"), "framewire.yaml"), "a")
	write(t, filepath.Join(folder(t, dir, "etc", "..2"), "framewire.yaml"), "b")
	link(t, "..1", filepath.Join(dir, "etc", "..data"))
	link(t, filepath.Join("..data", "framewire.yaml"), filepath.Join(dir, "etc", "framewire.yaml"))
	link(t, "etc", filepath.Join(dir, "alias"))
	w := watchFiles(t, filepath.Join(dir, "alias", "framewire.yaml"), filepath.Join(dir, "etc", "tls", "cert"))
	w.run(t)
	link(t, "..2", filepath.Join(dir, "etc", "..next"))
	if err := os.Rename(filepath.Join(dir, "etc", "..next"), filepath.Join(dir, "etc", "..data")); err != nil {
		t.Fatal(err)
	}
	w.changed(t)
	write(t, filepath.Join(folder(t, dir, "etc", "tls"), "cert"), "a")
	w.changed(t)
}

// Files are read when they rest, but no later than longest after what came first.
func TestRestIsNotWaitedForWithoutEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRest()
		// fires disturbs every 100 ms, that many times, and returns when the timer fires.
		fires := func(times int) time.Duration {
			start := time.Now()
			for range times {
				r.disturb()
				select {
				case <-r.timer.C:
					r.fired()
					return time.Since(start)
				case <-time.After(100 * time.Millisecond):
				}
			}
			<-r.timer.C
			r.fired()
			return time.Since(start)
		}
		for range 2 {
			if got := fires(1); got != settle {
				t.Errorf("after one event: %s, want %s", got, settle)
			}
			if got, want := fires(5), 400*time.Millisecond+settle; got != want {
				t.Errorf("after five events: %s, want %s", got, want)
			}
			if got := fires(1000); got < longest-100*time.Millisecond || got > longest+100*time.Millisecond {
				t.Errorf("with events all the time: %s, want %s", got, longest)
			}
		}
	})
}
