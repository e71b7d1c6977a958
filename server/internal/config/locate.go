package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// written is what a configuration was read from.
type written struct {
	text []byte
	set  []string // keys, with dots between them, whose values are from elsewhere
}

// located is an error with the places in the file that it is about. Its text shows
// none of the file, which may hold secrets.
type located struct {
	error
	text    string
	excerpt string
}

func (l *located) Error() string { return l.text }
func (l *located) Unwrap() error { return l.error }

// Excerpt returns the lines of the file that an error is about, for the eyes of whoever
// wrote them: they may hold secrets. It is empty where that is not known.
func Excerpt(err error) string {
	if l := (*located)(nil); errors.As(err, &l) {
		return l.excerpt
	}
	return ""
}

// Locate adds to an error about c where in its file that is written. Each line of the
// error that begins with a setting's keys, such as "limits.viewers is -1", is given
// the line of the file. What is from a flag or the environment has none.
func (c *Config) Locate(err error) error {
	if err == nil || !errors.Is(err, ErrInvalid) || len(c.written.text) == 0 {
		return err
	}
	file, e := parser.ParseBytes(c.written.text, 0)
	if e != nil || len(file.Docs) == 0 {
		return err
	}
	var excerpt strings.Builder
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		prefix, rest, found := strings.Cut(line, ErrInvalid.Error()+": ")
		if !found || strings.HasPrefix(rest, "[") {
			continue
		}
		if at := c.find(file.Docs[0].Body, rest, ""); at != nil {
			lines[i] = prefix + ErrInvalid.Error() + ": " + at.head() + rest
			excerpt.WriteString(at.show(c.written.text))
		}
	}
	return &located{err, strings.Join(lines, "\n"), excerpt.String()}
}

// place is where something is written.
type place struct{ line, column int }

func (p *place) head() string { return fmt.Sprintf("[%d:%d] ", p.line, p.column) }

// show returns the line, with a mark below the column.
func (p *place) show(text []byte) string {
	lines := strings.Split(string(text), "\n")
	if p.line < 1 || p.line > len(lines) {
		return ""
	}
	before := fmt.Sprintf("> %2d | ", p.line)
	return before + strings.TrimRight(lines[p.line-1], "\r") + "\n" + strings.Repeat(" ", len(before)+p.column-1) + "^\n"
}

// find follows the keys with which message begins down from a node, as far as they
// are written. It returns nil where not even the first is, or another than the file
// has set it.
func (c *Config) find(n ast.Node, message, above string) *place {
	switch n := n.(type) {
	case *ast.MappingNode:
		return c.among(n.Values, message, above)
	case *ast.MappingValueNode:
		return c.among([]*ast.MappingValueNode{n}, message, above)
	case *ast.SequenceNode:
		var i int
		if _, err := fmt.Sscanf(message, "[%d]", &i); err == nil && i >= 0 && i < len(n.Values) {
			_, rest, _ := strings.Cut(message, "]")
			if at := c.find(n.Values[i], strings.TrimPrefix(rest, "."), above); at != nil {
				return at
			}
			return placeOf(n.Values[i])
		}
	}
	return nil
}

func (c *Config) among(values []*ast.MappingValueNode, message, above string) *place {
	for _, v := range values {
		key := v.Key.GetToken().Value
		rest, found := strings.CutPrefix(message, key)
		if !found || rest != "" && !strings.ContainsAny(rest[:1], ".[: ") {
			continue
		}
		path := strings.TrimPrefix(above+"."+key, ".")
		if slices.Contains(c.written.set, path) {
			return nil
		}
		if at := c.find(v.Value, strings.TrimPrefix(rest, "."), path); at != nil {
			return at
		}
		if below, ok := strings.CutPrefix(rest, "."); ok && slices.ContainsFunc(c.written.set, func(s string) bool {
			return strings.HasPrefix(path+"."+below, s)
		}) {
			return nil
		}
		if _, isMap := v.Value.(*ast.MappingNode); !isMap && v.Value != nil {
			return placeOf(v.Value)
		}
		return placeOf(v.Key)
	}
	return nil
}

func placeOf(n ast.Node) *place {
	if n == nil || n.GetToken() == nil {
		return nil
	}
	p := n.GetToken().Position
	return &place{p.Line, p.Column}
}

// valueError is a value that a setting's type does not take.
type valueError struct{ value, want string }

func (e *valueError) Error() string { return fmt.Sprintf("%q is %s", e.value, e.want) }

// wrongType finds what the YAML reader says of a value of another type.
var wrongType = regexp.MustCompile(`cannot unmarshal (\w+) into Go (?:struct field [\w.]+|value) of type ([\w.\[\]]+)`)

// wrongKind finds what it says of a value of another kind.
var wrongKind = regexp.MustCompile(`(\w+) was used where (\w+) is expected`)

// inWords are the types of Go and YAML for people.
var inWords = map[string]string{
	"sequence": "a list", "mapping": "keys with values",
	"int": "a whole number", "int64": "a whole number", "bool": "true or false", "string": "text", "float64": "a number",
}

// plain says in words what the YAML reader says of types.
func plain(text string) string {
	for _, pattern := range []*regexp.Regexp{wrongType, wrongKind} {
		text = pattern.ReplaceAllStringFunc(text, func(found string) string {
			want, known := inWords[pattern.FindStringSubmatch(found)[2]]
			if !known {
				return found
			}
			return "want " + want
		})
	}
	return text
}

// onlyValue is where a value is written, nil where it is not, or more than once: the
// YAML reader does not tell which of them it means.
func onlyValue(text []byte, value string) *place {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil
	}
	s := &search{value: value}
	for _, doc := range file.Docs {
		ast.Walk(s, doc.Body)
	}
	if s.found != 1 {
		return nil
	}
	return s.at
}

// search is an ast.Visitor.
type search struct {
	value string
	at    *place
	found int
}

// Visit implements ast.Visitor.
func (s *search) Visit(n ast.Node) ast.Visitor {
	if scalar, ok := n.(ast.ScalarNode); ok && fmt.Sprint(scalar.GetValue()) == s.value {
		s.at = placeOf(n)
		s.found++
	}
	return s
}
