package process

import (
	"errors"
	"fmt"
	"strings"
)

// ErrQuoting reports a command line whose quotes or escapes do not end.
var ErrQuoting = errors.New("unbalanced quoting")

// Split cuts a command line into arguments as a POSIX shell would, with nothing
// expanded: blanks separate; single quotes keep everything; double quotes keep
// everything but backslash before one of \ " $ ` and newline; elsewhere a
// backslash keeps the next character. No shell ever sees the line.
func Split(line string) ([]string, error) {
	if i := strings.IndexByte(line, 0); i >= 0 { // no argument can hold one
		return nil, fmt.Errorf("NUL byte at offset %d", i)
	}
	var (
		args   []string
		word   strings.Builder
		inWord bool // an empty pair of quotes is a word too
	)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\t', '\n', '\r':
			if inWord {
				args = append(args, word.String())
				word.Reset()
				inWord = false
			}
		case '\'', '"':
			inWord = true
			end, err := quoted(&word, line, i)
			if err != nil {
				return nil, err
			}
			i = end
		case '\\':
			inWord = true
			i++
			if i == len(line) {
				return nil, fmt.Errorf("%w: backslash at the end", ErrQuoting)
			}
			word.WriteByte(line[i])
		default:
			inWord = true
			word.WriteByte(c)
		}
	}
	if inWord {
		args = append(args, word.String())
	}
	return args, nil
}

// quoted appends the quoted text that opens at line[start] and returns where its
// closing quote stands.
func quoted(word *strings.Builder, line string, start int) (int, error) {
	quote := line[start]
	for i := start + 1; i < len(line); i++ {
		c := line[i]
		switch {
		case c == quote:
			return i, nil
		case c == '\\' && quote == '"' && i+1 < len(line) && strings.IndexByte("\\\"$`\n", line[i+1]) >= 0:
			i++
			if line[i] != '\n' {
				word.WriteByte(line[i])
			}
		default:
			word.WriteByte(c)
		}
	}
	return 0, fmt.Errorf("%w: %c at offset %d is not closed", ErrQuoting, quote, start)
}
