package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// part is a piece of a text; first is set if the text begins with it.
type part struct {
	text  string
	first bool
}

// step is a pre-tokenizer, or one of a sequence: it cuts a part into smaller ones, or
// rewrites it, and appends what comes of it.
type step interface {
	split(dst []part, p part) []part
}

// prefixSpace puts a space before parts that have none.
type prefixSpace struct{}

func (prefixSpace) split(dst []part, p part) []part {
	if !strings.HasPrefix(p.text, " ") {
		p.text = " " + p.text
	}
	return append(dst, p)
}

// prefixScheme says which parts get a sign for a space before them.
type prefixScheme string

const (
	prefixAlways prefixScheme = "always"
	prefixFirst  prefixScheme = "first"
	prefixNever  prefixScheme = "never"
)

// metaspace writes a sign such as ▁ for each space, and one before a part by the scheme
// unless it begins with it. Words are cut elsewhere.
type metaspace struct {
	sign   string
	scheme prefixScheme
}

func (m metaspace) split(dst []part, p part) []part {
	p.text = replaceAll(p.text, " ", m.sign)
	if m.scheme == prefixAlways || m.scheme == prefixFirst && p.first {
		if !strings.HasPrefix(p.text, m.sign) {
			p.text = m.sign + p.text
		}
	}
	return append(dst, p)
}

// finder finds the places that a cut goes by.
type finder interface {
	// matches returns where the places in text begin and end, in their order.
	matches(text string) [][]int
}

// behavior says what becomes of a match.
type behavior string

const (
	isolated           behavior = "Isolated"           // is a part
	removed            behavior = "Removed"            // is left out
	contiguous         behavior = "Contiguous"         // is a part, together with those beside it
	mergedWithPrevious behavior = "MergedWithPrevious" // belongs to what is before it
	mergedWithNext     behavior = "MergedWithNext"     // belongs to what is after it
)

// cut splits text where a finder's matches, or with invert the gaps between them, are.
type cut struct {
	finder   finder
	behavior behavior
	invert   bool
}

// stretch is a match or a gap.
type stretch struct {
	begin, end int
	match      bool
}

func (c cut) split(dst []part, p part) []part {
	for _, s := range c.behavior.pieces(c.stretches(p.text)) {
		if s.begin < s.end {
			dst = append(dst, part{p.text[s.begin:s.end], p.first && s.begin == 0})
		}
	}
	return dst
}

// stretches covers text with matches and gaps.
func (c cut) stretches(text string) (all []stretch) {
	end := 0
	for _, m := range c.finder.matches(text) {
		if end < m[0] {
			all = append(all, stretch{end, m[0], c.invert})
		}
		all = append(all, stretch{m[0], m[1], !c.invert})
		end = m[1]
	}
	if end < len(text) {
		all = append(all, stretch{end, len(text), c.invert})
	}
	return all
}

// pieces puts stretches together.
func (b behavior) pieces(all []stretch) []stretch {
	pieces := all[:0]
	for i, s := range all {
		n := len(pieces)
		switch {
		case b == removed && s.match:
			continue
		case b == contiguous && i > 0 && all[i-1].match == s.match && n > 0,
			b == mergedWithPrevious && s.match && n > 0 && !pieces[n-1].match:
			pieces[n-1].end = s.end
			pieces[n-1].match = s.match
			continue
		case b == mergedWithNext && n > 0 && pieces[n-1].match && !s.match:
			pieces[n-1].end, pieces[n-1].match = s.end, false
			continue
		}
		pieces = append(pieces, s)
	}
	return pieces
}

// runeFinder finds single characters.
type runeFinder func(r rune) bool

func (f runeFinder) matches(text string) (found [][]int) {
	for i, r := range text {
		if f(r) {
			found = append(found, []int{i, i + utf8.RuneLen(r)})
		}
	}
	return found
}

// stringFinder finds a string.
type stringFinder string

func (f stringFinder) matches(text string) (found [][]int) {
	for end := 0; ; {
		i := strings.Index(text[end:], string(f))
		if i < 0 || f == "" {
			return found
		}
		found = append(found, []int{end + i, end + i + len(f)})
		end += i + len(f)
	}
}

// matches makes every word of a splitter a match.
func (s splitter) matches(text string) (found [][]int) {
	for i, j := 0, 0; i < len(text); i = j {
		j = s.next(text, i)
		found = append(found, []int{i, j})
	}
	return found
}

// wordOrSigns finds runs of letters, marks, digits and connectors, and runs of others
// that are no white space: \w+|[^\w\s]+.
type wordOrSigns struct{}

func (wordOrSigns) matches(text string) (found [][]int) {
	const blank, word, sign = 0, 1, 2
	before := blank
	for i, r := range text {
		kind := sign
		switch {
		case unicode.IsSpace(r):
			kind = blank
		case wordRune(r):
			kind = word
		}
		if kind != before && kind != blank {
			found = append(found, []int{i, i})
		}
		if kind != blank {
			found[len(found)-1][1] = i + utf8.RuneLen(r)
		}
		before = kind
	}
	return found
}

// wordRune reports whether \w matches r (UTS #18).
func wordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return byteClass[r] == letter || byteClass[r] == number || r == '_'
	}
	class := classesOnce().of(r)
	return class == letter || unicode.In(r, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control) ||
		class == number && unicode.Is(numbersOfUnicode16, r)
}
