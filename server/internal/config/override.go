package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// EnvironmentPrefix begins the names of environment variables that set something.
const EnvironmentPrefix = "FRAMEWIRE_"

// Set puts one setting in place of what the file says: its keys, with dots between
// them, and its value as the file would have it. A list may be written without its
// brackets.
//
//	limits.viewers_per_address=20
//	origins=*.example.com, localhost:*
func (c *Config) Set(spec string) error {
	path, value, found := strings.Cut(spec, "=")
	if !found || path == "" {
		return fmt.Errorf("%w: %q: want KEY.KEY=VALUE, such as limits.viewers=5000", ErrInvalid, spec)
	}
	keys := strings.Split(path, ".")
	if t := typeAt(reflect.TypeFor[Config](), keys); t != nil && t.Kind() == reflect.Slice && !strings.HasPrefix(strings.TrimSpace(value), "[") {
		value = list(value)
	}
	var text strings.Builder
	for i, key := range keys {
		fmt.Fprintf(&text, "%s%s: ", strings.Repeat("  ", i), key)
		if i < len(keys)-1 {
			text.WriteString("\n")
		}
	}
	text.WriteString(value)
	if err := parse([]byte(text.String()), c); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	c.written.set = append(slices.Clone(c.written.set), path)
	return nil
}

// list writes values with commas between them as YAML, each for what it is.
func list(values string) string {
	var quoted []string
	for value := range strings.SplitSeq(values, ",") {
		if value = strings.TrimSpace(value); value != "" {
			quoted = append(quoted, "'"+strings.ReplaceAll(value, "'", "''")+"'")
		}
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// typeAt returns the type of a setting, nil where there is none.
func typeAt(t reflect.Type, keys []string) reflect.Type {
	for _, key := range keys {
		if t.Kind() != reflect.Struct {
			return nil
		}
		var next reflect.Type
		for i := range t.NumField() {
			if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name == key {
				next = t.Field(i).Type
			}
		}
		if next == nil {
			return nil
		}
		t = next
	}
	return t
}

// SetFrom puts the settings in place that the environment names: FRAMEWIRE_ and the
// keys in capitals, with _ between them, such as FRAMEWIRE_LIMITS_VIEWERS.
func (c *Config) SetFrom(lookup func(name string) (string, bool)) error {
	for _, path := range Settings() {
		name := EnvironmentPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
		value, found := lookup(name)
		if !found || value == "" {
			continue
		}
		if err := c.Set(path + "=" + value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// Settings lists all settings by their keys, with dots between them, in the order
// of Config.
func Settings() []string { return settings(reflect.TypeFor[Config](), "") }

func settings(t reflect.Type, before string) (paths []string) {
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name == "" {
			continue
		}
		if inner := t.Field(i).Type; inner.Kind() == reflect.Struct {
			paths = append(paths, settings(inner, before+name+".")...)
		} else {
			paths = append(paths, before+name)
		}
	}
	return paths
}
