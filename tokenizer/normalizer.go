package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// normalizer rewrites a part of a text before it is cut into words.
type normalizer interface {
	normalize(text string) string
}

// normalizers work one after another.
type normalizers []normalizer

func (ns normalizers) normalize(text string) string {
	for _, n := range ns {
		text = n.normalize(text)
	}
	return text
}

// prepend puts a string before a text that is not empty.
type prepend string

func (p prepend) normalize(text string) string {
	if text == "" {
		return text
	}
	return string(p) + text
}

// replaceString puts one string in the place of another.
type replaceString struct{ old, new string }

func (r replaceString) normalize(text string) string { return replaceAll(text, r.old, r.new) }

// replaceAll is strings.ReplaceAll, faster where a single byte is replaced often.
func replaceAll(text, old, new string) string {
	if len(old) != 1 {
		return strings.ReplaceAll(text, old, new)
	}
	n := strings.Count(text, old)
	if n == 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + n*(len(new)-1))
	for range n {
		i := strings.IndexByte(text, old[0])
		b.WriteString(text[:i])
		b.WriteString(new)
		text = text[i+1:]
	}
	b.WriteString(text)
	return b.String()
}

// replaceSpaces puts a string in the place of two and more spaces.
type replaceSpaces string

func (r replaceSpaces) normalize(text string) string {
	at := strings.Index(text, "  ")
	if at < 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for ; at >= 0; at = strings.Index(text, "  ") {
		b.WriteString(text[:at])
		b.WriteString(string(r))
		text = strings.TrimLeft(text[at:], " ")
	}
	b.WriteString(text)
	return b.String()
}

// trim removes white space at the ends.
type trim struct{ left, right bool }

func (t trim) normalize(text string) string {
	if t.left {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
	}
	if t.right {
		text = strings.TrimRightFunc(text, unicode.IsSpace)
	}
	return text
}

// lowercase turns every character into its small one, without regard to its neighbours.
type lowercase struct{}

func (lowercase) normalize(text string) string {
	for i := range len(text) {
		if c := text[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return text[:i] + lower(text[i:])
		}
	}
	return text
}

func lower(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		switch {
		case 'A' <= r && r <= 'Z':
			b.WriteByte(byte(r) + 'a' - 'A')
		case r < utf8.RuneSelf:
			b.WriteByte(byte(r))
		case r == 'İ': // the one character whose small one is two
			b.WriteString("i\u0307")
		default:
			b.WriteRune(toLower(r))
		}
	}
	return b.String()
}

// removeMarks removes combining marks.
type removeMarks struct{}

func (removeMarks) normalize(text string) string {
	return removeRunes(text, mark)
}

func removeRunes(text string, remove func(rune) bool) string {
	return strings.Map(func(r rune) rune {
		if remove(r) {
			return -1
		}
		return r
	}, text)
}

// nmt is SentencePiece's rule for the texts of machine translation: control characters are left out, and all kinds of
// space, marks that take none and ▁ become spaces.
type nmt struct{}

func (nmt) normalize(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 0x01 <= r && r <= 0x08, r == 0x0B, 0x0E <= r && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
			return -1
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, 0x200B <= r && r <= 0x200F, r == 0x2028, r == 0x2029,
			r == '▁', r == 0xFEFF, r == 0xFFFD:
			return ' '
		}
		return r
	}, text)
}

// ascii reports whether text holds no other characters.
func ascii(text string) bool {
	i := 0
	for ; i+8 <= len(text); i += 8 {
		if load8(text, i)&highBits != 0 {
			return false
		}
	}
	for ; i < len(text); i++ {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
