package tokenizer

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalForm is one of Unicode's normal forms (UAX #15).
type normalForm norm.Form

// manyMarks is how many characters that do not begin a new one may follow one another
// for package norm to be used: at 30 it would insert joiners (UAX #15, stream-safe text).
const manyMarks = 20

func (f normalForm) normalize(text string) string {
	form := norm.Form(f)
	if ascii(text) || form.IsNormalString(text) {
		return text
	}
	if form == norm.NFKC || form == norm.NFKD {
		// A later character stays what it is, and nothing composes with it.
		if i := strings.IndexFunc(text, func(r rune) bool { return unicode.Is(laterCompatibility, r) }); i >= 0 {
			end := i + characterAt(text, i)
			return f.normalize(text[:i]) + text[i:end] + f.normalize(text[end:])
		}
	}
	if longestMarks(text) < manyMarks {
		return form.String(text)
	}
	runes := f.decompose(text)
	if form == norm.NFC || form == norm.NFKC {
		runes = compose(runes)
	}
	return string(runes)
}

// longestMarks returns the length of the longest run of characters that have, or whose
// decomposition has, one with a combining class.
func longestMarks(text string) int {
	longest, run := 0, 0
	for i, r := range text {
		if r < 0x300 {
			run = 0
			continue
		}
		p := norm.NFKD.PropertiesString(text[i:])
		if p.CCC() == 0 && p.TrailCCC() == 0 && p.BoundaryBefore() {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// decompose returns the characters of text taken apart, marks in canonical order.
func (f normalForm) decompose(text string) []rune {
	form := norm.NFD
	if norm.Form(f) == norm.NFKC || norm.Form(f) == norm.NFKD {
		form = norm.NFKD
	}
	var runes []rune
	for _, r := range text {
		runes = append(runes, []rune(form.String(string(r)))...)
	}
	for begin := 0; begin < len(runes); begin++ {
		end := begin
		for end < len(runes) && combiningClass(runes[end]) != 0 {
			end++
		}
		slices.SortStableFunc(runes[begin:end], func(a, b rune) int { return int(combiningClass(a)) - int(combiningClass(b)) })
		begin = max(begin, end-1)
	}
	return runes
}

func combiningClass(r rune) uint8 {
	if r < 0x300 {
		return 0
	}
	var b [utf8.UTFMax]byte
	return norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).CCC()
}

// compose puts characters together: each with the last one before it that begins a new
// character, unless one of the same or a higher class stands between.
func compose(runes []rune) []rune {
	composed := runes[:0]
	starter, class := -1, uint8(0) // of the last one between
	for _, r := range runes {
		c := combiningClass(r)
		if starter >= 0 && (len(composed) == starter+1 || class < c) {
			if whole := []rune(norm.NFC.String(string([]rune{composed[starter], r}))); len(whole) == 1 {
				composed[starter] = whole[0]
				continue
			}
		}
		if c == 0 {
			starter = len(composed)
		}
		class = c
		composed = append(composed, r)
	}
	return composed
}
