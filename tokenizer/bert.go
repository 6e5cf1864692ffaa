package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// bertNormalizer is what BERT does to text (Devlin et al. 2019, BasicTokenizer).
type bertNormalizer struct {
	clean   bool // remove control characters, make all white space a space
	chinese bool // put spaces around ideographs
	accents bool // remove accents
	lower   bool
}

func (n bertNormalizer) normalize(text string) string {
	if ascii(text) {
		return n.ascii(text)
	}
	if n.clean || n.chinese {
		text = n.space(text)
	}
	if n.accents {
		text = normalForm(norm.NFD).normalize(text)
		text = removeRunes(text, nonspacing)
	}
	if n.lower {
		text = lowercase{}.normalize(text)
	}
	return text
}

// ascii normalizes ASCII, in which there are neither ideographs nor accents.
func (n bertNormalizer) ascii(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for i := range len(text) {
		c := text[i]
		switch {
		case n.clean && (c < ' ' || c == 0x7F):
			if c != '\t' && c != '\n' && c != '\r' {
				continue
			}
			c = ' '
		case n.lower && 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

func (n bertNormalizer) space(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		switch {
		case n.clean && bertControl(r):
		case n.clean && unicode.IsSpace(r):
			b.WriteByte(' ')
		case n.chinese && ideograph(r):
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func bertControl(r rune) bool {
	if r == '\t' || r == '\n' || r == '\r' {
		return false
	}
	return r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) && !unicode.Is(laterControls, r)
}

// ideograph reports whether BERT puts spaces around r. The blocks are the reference's
// (one of them is a digit off there).
func ideograph(r rune) bool {
	return r >= 0x3400 && (r <= 0x4DBF || r >= 0x4E00 && r <= 0x9FFF || r >= 0xF900 && r <= 0xFAFF ||
		r >= 0x20000 && r <= 0x2A6DF || r >= 0x2A700 && r <= 0x2B73F || r >= 0x2B740 && r <= 0x2B81F ||
		r >= 0x2B920 && r <= 0x2CEAF || r >= 0x2F800 && r <= 0x2FA1F)
}
