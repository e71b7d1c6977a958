package config

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
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
	for _, key := range keys(reflect.TypeFor[Config]()) {
		if d := distance(found[1], key); d < least {
			best, least = key, d
		}
	}
	if best == "" {
		return ""
	}
	return "\ndid you mean " + best + "?"
}

// keys lists the keys of a configuration's type and of all in it.
func keys(t reflect.Type) []string {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer:
		return keys(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	var all []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "" {
			all = append(append(all, name), keys(t.Field(i).Type)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
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
