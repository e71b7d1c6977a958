package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

func TestSettingsReplaceWhatTheFileSays(t *testing.T) {
	c, err := load(t, "limits: {viewers: 5, command_burst: 7}\nlog: {format: json}\norigins: [a.example]\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range []string{
		"limits.viewers=100", "window=1m", "max_stream_bytes=64MiB", "origins=*.example.com, localhost:*", "tls.acme.domains=[a.example]",
		"publish.rules=[{streams: '**', key: k}]", "trusted_proxies=", "log.level=debug",
	} {
		if err := c.Set(spec); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
	if c.Limits.Viewers != 100 || c.Limits.CommandBurst != 7 || c.Limits.MessageBytes != 64<<10 || time.Duration(c.Window) != time.Minute ||
		c.MaxStreamBytes != 64<<20 || !reflect.DeepEqual(c.Origins, []string{"*.example.com", "localhost:*"}) ||
		len(c.TLS.ACME.Domains) != 1 || c.Publish.Rules[0].Key != "k" || c.Publish.MaxPublishers != 100 || len(c.TrustedProxies) != 0 ||
		c.Log != (Log{Format: "json", Level: "debug"}) {
		t.Errorf("%+v", c)
	}
	for spec, want := range map[string]string{
		"limits.viewer=1": "viewers", "limits.viewers": "KEY.KEY=VALUE", "=1": "KEY.KEY=VALUE", "limits.viewers=many": "limits.viewers",
		"window=30": "window", "limits.viewers.x=1": "limits.viewers.x", "nothing=1": "nothing",
	} {
		if err := c.Set(spec); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want it to name %q", spec, err, want)
		}
	}
}

func TestEnvironmentHasTheNamesOfTheFile(t *testing.T) {
	c := Default()
	environment := map[string]string{
		"FRAMEWIRE_LIMITS_VIEWERS_PER_ADDRESS": "3", "FRAMEWIRE_AUTH_SECRET_FILE": "/run/secret", "FRAMEWIRE_PUBLISH_SILENCE": "5s",
		"FRAMEWIRE_ADMIN_SOURCES": "demo,file", "FRAMEWIRE_LISTEN": "", "FRAMEWIRE_URL": "not of the server",
	}
	if err := c.SetFrom(func(name string) (string, bool) { v, ok := environment[name]; return v, ok }); err != nil {
		t.Fatal(err)
	}
	if c.Limits.ViewersPerAddress != 3 || c.Auth.SecretFile != "/run/secret" || time.Duration(c.Publish.Silence) != 5*time.Second ||
		!reflect.DeepEqual(c.Admin.Sources, []string{"demo", "file"}) || c.Listen != ":8080" {
		t.Errorf("%+v", c)
	}
	err := c.SetFrom(func(name string) (string, bool) { return "soon", name == "FRAMEWIRE_PUBLISH_GRACE" })
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "FRAMEWIRE_PUBLISH_GRACE") {
		t.Error(err)
	}
}

// The documented file has every setting, and its default.
func TestDocumentedFileIsTheDefault(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "framewire.yaml")
	documented, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	for _, setting := range Settings() {
		var at any = tree
		for key := range strings.SplitSeq(setting, ".") {
			inner, _ := at.(map[string]any)
			next, found := inner[key]
			if !found {
				t.Fatalf("%s is not documented", setting)
			}
			at = next
		}
	}
	want := Default()
	for _, c := range []*Config{&documented, &want} {
		if err := c.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	// An empty list is as good as none, but for frame_ancestors.
	if documented.FrameAncestors != nil {
		t.Error("frame_ancestors is not null")
	}
	a, errA := yaml.MarshalWithOptions(documented, yaml.OmitEmpty())
	b, errB := yaml.MarshalWithOptions(want, yaml.OmitEmpty())
	if err := errors.Join(errA, errB); err != nil || string(a) != string(b) {
		t.Errorf("%v, documented:\n%s\ndefault:\n%s", err, a, b)
	}
}

func FuzzSet(f *testing.F) {
	f.Add("limits.viewers=1")
	f.Add("origins=a, b")
	f.Add("publish.rules=[{streams: a")
	f.Fuzz(func(t *testing.T, spec string) {
		c := Default()
		if err := c.Set(spec); err != nil && !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	})
}
