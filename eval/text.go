package eval

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// The definitions of white space and of lower case are Python's, because the
// metrics are defined by a Python program.

// isSpace is str.isspace: Unicode white space and the four ASCII separators.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f
}

// fields is str.split().
func fields(line string) []string { return strings.FieldsFunc(line, isSpace) }

func trim(line string) string { return strings.TrimFunc(line, isSpace) }

func trimRight(line string) string { return strings.TrimRightFunc(line, isSpace) }

// lower is str.lower(). The two letters whose lower case is not one fixed
// letter (the final sigma, and the dotted capital I, which becomes two) need
// the slower Unicode algorithm.
func lower(line string) string {
	if strings.ContainsAny(line, "Σİ") {
		return cases.Lower(language.Und).String(line)
	}
	return strings.ToLower(line)
}
