package process_test

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/framewire/framewire/server/internal/source/process"
)

var splits = []struct {
	line string
	want []string
	err  error
}{
	{"", nil, nil},
	{"   ", nil, nil},
	{"a b  c", []string{"a", "b", "c"}, nil},
	{"\ta\nb\r", []string{"a", "b"}, nil},
	{`-f lavfi -i testsrc2`, []string{"-f", "lavfi", "-i", "testsrc2"}, nil},
	{`-i "rtsp://cam/a b"`, []string{"-i", "rtsp://cam/a b"}, nil},
	{`'it''s' "one"two`, []string{"its", "onetwo"}, nil},
	{`'' ""`, []string{"", ""}, nil},
	{`a\ b \"c\'`, []string{"a b", `"c'`}, nil},
	{`"a\"b" "a\nb" "\\"`, []string{`a"b`, `a\nb`, `\`}, nil},
	{`'a\b' '"'`, []string{`a\b`, `"`}, nil},
	{`$HOME; rm -rf / | cat > x`, []string{"$HOME;", "rm", "-rf", "/", "|", "cat", ">", "x"}, nil},
	{`"open`, nil, process.ErrQuoting},
	{`'open`, nil, process.ErrQuoting},
	{`end\`, nil, process.ErrQuoting},
}

func TestSplit(t *testing.T) {
	for _, c := range splits {
		got, err := process.Split(c.line)
		if !errors.Is(err, c.err) || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v, want %q, %v", c.line, got, err, c.want, c.err)
		}
	}
	if _, err := process.Split("a\x00b"); err == nil {
		t.Error("a NUL byte was taken")
	}
}

// A shell that is told to expand nothing splits the same way.
func TestSplitAgreesWithTheShell(t *testing.T) {
	for _, c := range splits {
		if c.err != nil || strings.ContainsAny(c.line, "$;|><\n\r\t") {
			continue
		}
		out, err := exec.Command("/bin/sh", "-c", `printf '%s\0' x `+c.line).Output()
		if err != nil {
			t.Fatalf("%q: %v", c.line, err)
		}
		want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")[1:]
		if got, _ := process.Split(c.line); !slices.Equal(got, want) {
			t.Errorf("%q: %q, the shell says %q", c.line, got, want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, c := range splits {
		f.Add(c.line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args, err := process.Split(line)
		if err != nil {
			return
		}
		// Quoted again, the arguments come back as they were.
		var quoted []string
		for _, a := range args {
			quoted = append(quoted, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
		}
		again, err := process.Split(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(again, args) {
			t.Errorf("%q became %q, then %q (%v)", line, args, again, err)
		}
	})
}
