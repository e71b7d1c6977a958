// Package archtest fails when an import runs against the arrows of
// docs/architecture.md.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/framewire/framewire/"

// layers lists, for each package or folder of packages, what of the project it
// may import. A folder's packages may import each other. What is not listed may
// import nothing of the project.
var layers = map[string][]string{
	"server/internal/media":  {},
	"server/internal/annexb": {},
	"server/internal/codec":  {"server/internal/media", "server/internal/annexb"},

	"server/internal/elementary": {"server/internal/media", "server/internal/codec", "server/internal/annexb"},

	"server/internal/mp4":    {"server/internal/media", "server/internal/codec", "server/internal/annexb"},
	"server/internal/mpegts": {"server/internal/media", "server/internal/codec", "server/internal/annexb", "server/internal/elementary"},
	"server/internal/flv":    {"server/internal/media", "server/internal/codec", "server/internal/annexb", "server/internal/elementary"},
	"server/internal/webm":   {"server/internal/media", "server/internal/codec", "server/internal/annexb", "server/internal/elementary"},

	"server/internal/source": {"server/internal/media", "server/internal/elementary", "server/internal/mp4", "server/internal/mpegts", "server/internal/nut", "server/internal/flv", "server/internal/webm"},

	"server/internal/wire":   {"gen/go", "server/internal/media"},
	"server/internal/hub":    {"server/internal/media"},
	"server/internal/ingest": {"server/internal/media", "server/internal/mp4", "server/internal/wire", "server/internal/hub"},

	"server/internal/roster": {"server/internal/media", "server/internal/hub", "server/internal/ingest"},
	"server/internal/events": {"server/internal/wire"},

	"server/internal/session": {"server/internal/media", "server/internal/gate", "server/internal/wire", "server/internal/hub", "server/internal/auth"},
	"server/internal/publish": {
		"server/internal/media", "server/internal/codec", "server/internal/annexb", "server/internal/elementary",
		"server/internal/mp4", "server/internal/mpegts", "server/internal/flv", "server/internal/webm", "server/internal/wire",
		"server/internal/gate", "server/internal/patience",
	},
	"server/internal/desk": {"server/internal/gate", "server/internal/media", "server/internal/publish", "server/internal/hub", "server/internal/ingest", "server/internal/auth"},
	"server/internal/web":  {"server/internal/gate", "server/internal/media", "server/internal/patience", "server/internal/proxy", "server/internal/origin", "server/internal/session", "server/internal/hub", "server/internal/wire", "server/internal/auth"},

	"server/internal/admin": {
		"gen/go", "server/internal/media", "server/internal/wire", "server/internal/hub", "server/internal/roster", "server/internal/session",
		"server/internal/publish", "server/internal/desk", "server/internal/events", "server/internal/auth", "server/internal/patience",
	},
	"server/internal/metrics": {
		"server/internal/media", "server/internal/wire", "server/internal/hub", "server/internal/roster", "server/internal/session",
		"server/internal/publish", "server/internal/desk", "server/internal/auth", "server/internal/origin", "server/internal/gate",
	},

	"server/internal/auth":     {"server/internal/media"},
	"server/internal/certs":    {},
	"server/internal/gate":     {},
	"server/internal/config":   {"server/internal/media", "server/internal/proxy", "server/internal/origin"},
	"server/internal/origin":   {},
	"server/internal/patience": {},
	"server/internal/proxy":    {},
	"server/client":            {"gen/go"},
	"frontend":                 {},
	"gen/go":                   {},

	"server/internal/app": {"server/internal", "frontend"},
	"server/cmd":          {"server/internal", "server/client", "frontend", "gen/go"},

	"server/internal/relay": {"gen/go", "server/internal/media", "server/client"},

	"server/internal/load": {"gen/go", "server/internal/wire"},

	"server/internal/badnet":    {},
	"server/internal/mediatest": {},
	"server/internal/logtest":   {},
	"server/internal/archtest":  {},
}

// exclusive names libraries that only some packages may import, so that the rest
// can be read, tested and changed without them.
var exclusive = map[string][]string{
	"github.com/coder/websocket":            {"server/internal/web", "server/client"},
	"github.com/asticode/go-astits":         {"server/internal/mpegts"},
	"github.com/alecthomas/kong":            {"server/cmd"},
	"github.com/golang-jwt/jwt/v5":          {"server/internal/auth", "server/cmd"},
	"github.com/goccy/go-yaml":              {"server/internal/config"},
	"connectrpc.com/connect":                {"server/internal/admin", "server/cmd", "gen/go"},
	"github.com/prometheus/client_golang":   {"server/internal/metrics"},
	"github.com/caddyserver/certmagic":      {"server/internal/certs"},
	"go.uber.org/zap":                       {"server/internal/certs"},
	"github.com/pires/go-proxyproto":        {"server/internal/proxy"},
	"github.com/fsnotify/fsnotify":          {"server/internal/config"},
	"google.golang.org/protobuf":            {"server/internal/wire", "server/internal/ingest", "server/internal/load", "server/client", "gen/go", "server/cmd"},
	"github.com/framewire/framewire/gen/go": {"gen/go", "server/internal/wire", "server/internal/admin", "server/internal/load", "server/client", "server/internal/relay", "server/cmd"},
}

func within(pkg string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return pkg == root || strings.HasPrefix(pkg, root+"/")
	})
}

// layerOf returns the longest entry of layers that holds pkg.
func layerOf(pkg string) (string, bool) {
	for p := pkg; p != "."; p = path.Dir(p) {
		if _, ok := layers[p]; ok {
			return p, true
		}
	}
	return "", false
}

// imports calls visit for every import in the module's Go files, tests apart.
func imports(t *testing.T, visit func(file, pkg, imported string)) {
	t.Helper()
	root := filepath.Join("..", "..", "..")
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == "node_modules" || name == "testdata" || name == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			visit(filepath.ToSlash(relative), path.Dir(filepath.ToSlash(relative)), imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestArrowsRunOneWay(t *testing.T) {
	seen := 0
	imports(t, func(file, pkg, imported string) {
		target, ours := strings.CutPrefix(imported, module)
		if !ours {
			return
		}
		seen++
		layer, ok := layerOf(pkg)
		if !ok {
			t.Errorf("%s: package %s has no layer: give it one", file, pkg)
			return
		}
		if !within(target, []string{layer}) && !within(target, layers[layer]) {
			t.Errorf("%s: %s may not import %s", file, layer, target)
		}
	})
	if seen == 0 {
		t.Error("no import was looked at")
	}
}

func TestLibrariesStayWhereTheyBelong(t *testing.T) {
	imports(t, func(file, pkg, imported string) {
		for library, users := range exclusive {
			if within(imported, []string{library}) && !within(pkg, users) {
				t.Errorf("%s: only %v may import %s", file, users, library)
			}
		}
	})
}

func TestArrowsHaveNoCycle(t *testing.T) {
	const (
		open = iota + 1
		done
	)
	state := make(map[string]int)
	var visit func(layer string, path []string)
	visit = func(layer string, path []string) {
		path = append(path, layer)
		switch state[layer] {
		case open:
			t.Errorf("cycle: %s", strings.Join(path, " -> "))
			return
		case done:
			return
		}
		state[layer] = open
		for _, next := range layers[layer] {
			if _, ok := layers[next]; ok {
				visit(next, path)
			}
		}
		state[layer] = done
	}
	for layer := range layers {
		visit(layer, nil)
	}
}
