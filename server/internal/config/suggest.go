package config

import (
	"cmp"
	"errors"
	"reflect"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
)

// unknownKey finds the key in what the YAML reader says of one it does not know.
var unknownKey = regexp.MustCompile(`unknown field "([^"]+)"`)

// suggestion returns what the operator may have meant, as a sentence to append, or
// nothing.
func suggestion(err error) string {
	var unknown *yaml.UnknownFieldError
	if !errors.As(err, &unknown) {
		return ""
	}
	found := unknownKey.FindStringSubmatch(err.Error())
	if found == nil {
		return ""
	}
	best, least := "", 3 // more changes than two make another word
	var places []string  // that have this very key
	for _, path := range paths("", reflect.TypeFor[Config]()) {
		place, key := "", path
		if i := strings.LastIndexByte(path, '.'); i >= 0 {
			place, key = path[:i], path[i+1:]
		}
		if key == found[1] {
			places = append(places, cmp.Or(place, "the top"))
		} else if d := distance(found[1], key); d < least {
			best, least = key, d
		}
	}
	switch {
	case len(places) > 0:
		return "\n" + found[1] + " belongs to " + strings.Join(places, ", ")
	case best != "":
		return "\ndid you mean " + best + "?"
	default:
		return ""
	}
}

// paths lists the keys of a configuration's type and of all in it, each behind those
// that it stands below, such as "publish.streams[].key".
func paths(below string, t reflect.Type) (all []string) {
	switch t.Kind() {
	case reflect.Slice:
		return paths(strings.TrimSuffix(below, ".")+"[].", t.Elem())
	case reflect.Map:
		return paths(below+"*.", t.Elem())
	case reflect.Pointer:
		return paths(below, t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "" {
			path := below + name
			all = append(append(all, path), paths(path+".", t.Field(i).Type)...)
		}
	}
	return all
}

// distance is the number of bytes to change, add or leave out to make b of a
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
