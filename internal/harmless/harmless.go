// Package harmless keeps what a model or somebody else wrote from moving a terminal's cursor, or worse: [Text] and [NewWriter] show
// control characters instead of sending them.
package harmless

import (
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
)

// Rune returns what is shown of a character: a picture of a control character, and every other one itself, line breaks and tabs too.
func Rune(r rune) rune {
	const pictures = 0x2400 // "␀", that of 0, and the others after it
	switch {
	case r == '\n' || r == '\t':
		return r
	case r < 0x20:
		return pictures + r
	case unicode.IsControl(r):
		return '·'
	}
	return r
}

// Text returns what is shown of a text. Line breaks of Windows become those of everybody else.
func Text(text string) string { return strings.Map(Rune, strings.ReplaceAll(text, "\r\n", "\n")) }

// NewWriter returns a writer that passes on to w what is shown of a stream of UTF-8, at once.
func NewWriter(w io.Writer) io.Writer { return transform.NewWriter(w, runes.Map(Rune)) }
