package eval

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// tokenizers cut a line into the tokens that BLEU counts.
var tokenizers = map[string]func(string) []string{
	"13a":  tokenize13a,
	"none": fields,
	"intl": tokenizeIntl,
	"char": tokenizeChar,
	"zh":   tokenizeZh,
}

// Tokenizers lists the names that [BLEU] takes in Tokenize, sorted.
func Tokenizers() []string { return slices.Sorted(maps.Keys(tokenizers)) }

var unescape = []string{"&quot;", `"`, "&amp;", "&", "&lt;", "<", "&gt;", ">"}

// replaceEntities undoes the four escapes of mteval, one after the other:
// "&amp;lt;" becomes "<".
func replaceEntities(line string) string {
	if !strings.Contains(line, "&") {
		return line
	}
	for i := 0; i < len(unescape); i += 2 {
		line = strings.ReplaceAll(line, unescape[i], unescape[i+1])
	}
	return line
}

// tokenize13a is the tokenizer of mteval-v13a.pl, that of WMT: ASCII punctuation
// apart, numbers whole.
func tokenize13a(line string) []string {
	line = strings.ReplaceAll(line, "<skipped>", "")
	line = strings.ReplaceAll(line, "-\n", "")
	line = strings.ReplaceAll(line, "\n", " ")
	line = replaceEntities(line)
	return splitWestern(" " + line + " ")
}

// splitWestern is the part of mteval for Western languages.
func splitWestern(line string) []string {
	apart := separatePunctuation([]byte(line))
	return fields(string(separateStops(apart)))
}

// separatePunctuation puts spaces around ASCII punctuation other than ' , - .
func separatePunctuation(line []byte) []byte {
	out := make([]byte, 0, len(line)+len(line)/2)
	for _, c := range line {
		if isASCIIPunct(c) && c != '\'' && c != ',' && c != '-' && c != '.' {
			out = append(out, ' ', c, ' ')
		} else {
			out = append(out, c)
		}
	}
	return out
}

// separateStops puts spaces around full stops and commas unless digits stand on
// both sides, and around a dash after a digit. It is three passes, each of
// which goes on behind the two characters that it matched, as the substitutions
// of the standard do ("..." depends on it). A byte of a longer character is as
// good a non-digit as the whole character.
func separateStops(line []byte) []byte {
	isDigit := func(c byte) bool { return c >= '0' && c <= '9' }
	isStop := func(c byte) bool { return c == '.' || c == ',' }

	line = replacePairs(line,
		func(a, b byte) bool { return !isDigit(a) && isStop(b) },
		func(out []byte, a, b byte) []byte { return append(out, a, ' ', b, ' ') })
	line = replacePairs(line,
		func(a, b byte) bool { return isStop(a) && !isDigit(b) },
		func(out []byte, a, b byte) []byte { return append(out, ' ', a, ' ', b) })
	return replacePairs(line,
		func(a, b byte) bool { return isDigit(a) && b == '-' },
		func(out []byte, a, b byte) []byte { return append(out, a, ' ', b, ' ') })
}

// replacePairs replaces pairs of neighbours that match, from left to right and
// without overlap.
func replacePairs[C byte | rune](line []C, match func(a, b C) bool, replace func(out []C, a, b C) []C) []C {
	out := make([]C, 0, len(line)+len(line)/4+8)
	for i := 0; i < len(line); i++ {
		if i+1 < len(line) && match(line[i], line[i+1]) {
			out = replace(out, line[i], line[i+1])
			i++
		} else {
			out = append(out, line[i])
		}
	}
	return out
}

// tokenizeIntl is the international tokenizer of mteval-v14.pl: Unicode
// punctuation and symbols apart, except punctuation between digits (and after a
// number that ends the line).
func tokenizeIntl(line string) []string {
	runes := replacePairs([]rune(line),
		func(a, b rune) bool { return !unicode.IsNumber(a) && unicode.IsPunct(b) },
		func(out []rune, a, b rune) []rune { return append(out, a, ' ', b, ' ') })
	runes = replacePairs(runes,
		func(a, b rune) bool { return unicode.IsPunct(a) && !unicode.IsNumber(b) },
		func(out []rune, a, b rune) []rune { return append(out, ' ', a, ' ', b) })
	return fields(string(separateRunes(runes, unicode.IsSymbol)))
}

func separateRunes(line []rune, apart func(rune) bool) []rune {
	out := make([]rune, 0, len(line)+len(line)/4+8)
	for _, r := range line {
		if apart(r) {
			out = append(out, ' ', r, ' ')
		} else {
			out = append(out, r)
		}
	}
	return out
}

// tokenizeChar makes every character a token, except white space.
func tokenizeChar(line string) []string {
	tokens := make([]string, 0, len(line))
	for _, r := range line {
		if !isSpace(r) {
			tokens = append(tokens, string(r))
		}
	}
	return tokens
}

// tokenizeZh makes every Chinese character a token and cuts the rest as 13a
// does, without its replacements.
func tokenizeZh(line string) []string {
	runes := separateRunes([]rune(trim(line)), func(r rune) bool { return unicode.Is(chineseRanges, r) })
	return splitWestern(string(runes))
}

// chineseRanges are the characters that sacrebleu's zh takes for Chinese. Its
// source names extension B (U+20000 to U+2A6D6) with four-digit escapes, which
// made it U+2001 to U+2A6D (typographic punctuation, arrows, mathematics); all
// published scores have it so, and so must these. Extension B is not Chinese here.
var chineseRanges = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x2001, Hi: 0x2a6d, Stride: 1}, // includes U+2600 to U+27BF
	{Lo: 0x2e80, Hi: 0x2fdf, Stride: 1}, // radicals
	{Lo: 0x2ff0, Hi: 0x303f, Stride: 1}, // structure, punctuation
	{Lo: 0x3100, Hi: 0x312f, Stride: 1}, // phonetic symbols
	{Lo: 0x31a0, Hi: 0x31bf, Stride: 1},
	{Lo: 0x31c0, Hi: 0x31ef, Stride: 1}, // strokes
	{Lo: 0x3200, Hi: 0x33ff, Stride: 1}, // enclosed, compatibility
	{Lo: 0x3400, Hi: 0x4db5, Stride: 1}, // extension A
	{Lo: 0x4e00, Hi: 0x9fbb, Stride: 1}, // unified ideographs
	{Lo: 0xf900, Hi: 0xfa2d, Stride: 1}, // compatibility ideographs
	{Lo: 0xfa30, Hi: 0xfa6a, Stride: 1},
	{Lo: 0xfa70, Hi: 0xfad9, Stride: 1},
	{Lo: 0xfe10, Hi: 0xfe1f, Stride: 1},
	{Lo: 0xfe30, Hi: 0xfe4f, Stride: 1},
	{Lo: 0xff00, Hi: 0xffef, Stride: 1}, // full and half width
}}
