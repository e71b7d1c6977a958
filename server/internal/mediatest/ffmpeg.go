// Package mediatest makes test media with ffmpeg and looks at media with
// ffprobe. Only tests import it.
//
// A test that needs ffmpeg fails without it, naming what to install: a green
// run that has quietly skipped the real media would prove nothing.
package mediatest

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runLimit bounds one run of ffmpeg or ffprobe. Test clips take well under a
// second; the software AV1 and H.265 encoders on a busy machine take longer.
const runLimit = 2 * time.Minute

// RequireFFmpeg fails the test at once when ffmpeg or ffprobe is missing.
func RequireFFmpeg(t testing.TB) {
	t.Helper()
	for _, tool := range []string{"ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing; install ffmpeg (Debian, Ubuntu: apt-get install ffmpeg; macOS: brew install ffmpeg)", tool)
		}
	}
}

// Make runs ffmpeg with args and a file called name in a temporary directory of
// the test as its output, and returns the file's path. The name's extension
// chooses the container unless args say otherwise.
func Make(t testing.TB, name string, args ...string) string {
	t.Helper()
	RequireFFmpeg(t)
	path := filepath.Join(t.TempDir(), name)
	full := append([]string{"-hide_banner", "-nostdin", "-loglevel", "error", "-y"}, args...)
	if _, stderr, err := run("ffmpeg", append(full, path)...); err != nil {
		t.Fatalf("make %s: %v\nffmpeg %s\n%s", name, err, strings.Join(full, " "), stderr)
	}
	return path
}

// Picture returns the input arguments of a moving test picture of the given
// size ("320x180"), frame rate and length in seconds.
func Picture(size string, rate int, seconds float64) []string {
	return []string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%s:rate=%d:duration=%g", size, rate, seconds)}
}

// Tone returns the input arguments of a 440 Hz tone of the given sample rate
// and length in seconds, in mono.
func Tone(sampleRate int, seconds float64) []string {
	return []string{"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:sample_rate=%d:duration=%g", sampleRate, seconds)}
}

// Args joins groups of arguments into one list.
func Args(groups ...[]string) []string {
	var all []string
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// RequireDecodes decodes every stream of the file and fails the test when
// ffmpeg has anything to complain of.
func RequireDecodes(t testing.TB, path string) {
	t.Helper()
	RequireFFmpeg(t)
	_, stderr, err := run("ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "warning", "-xerror",
		"-i", path, "-map", "0", "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-")
	if err != nil || len(bytes.TrimSpace(stderr)) != 0 {
		t.Errorf("decode %s: %v\n%s", filepath.Base(path), err, stderr)
	}
}

func run(tool string, args ...string) (stdout, stderr []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, args...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()
	return out.Bytes(), complaints.Bytes(), err
}
