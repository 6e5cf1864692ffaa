package tokenizer

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// The patterns for Go's regexp, which knows neither a Unicode \s nor a look-ahead:
// wordsByRegexp gives back the last character of white space itself.
const anySpace = `\t-\r \x{85}\p{Z}`

var regexps = map[Pattern]*regexp.Regexp{
	GPT2:   regexp.MustCompile(`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^` + anySpace + `\p{L}\p{N}]+|[` + anySpace + `]+`),
	Spaces: regexp.MustCompile(` ?[^` + anySpace + `]+|[` + anySpace + `]+`),
}

func wordsByRegexp(p Pattern, text string) (words []string) {
	for text != "" {
		at := regexps[p].FindStringIndex(text)
		end := at[1]
		first, _ := utf8.DecodeRuneInString(text)
		blank := regexps[Spaces].FindString(text[:end]) == text[:end] && strings.TrimSpace(text[:end]) == ""
		if p == GPT2 && blank && end < len(text) && end > utf8.RuneLen(first) {
			_, width := utf8.DecodeLastRuneInString(text[:end])
			end -= width
		}
		words = append(words, text[:end])
		text = text[end:]
	}
	return words
}

func wordsOf(p Pattern, text string) (words []string) {
	s := newSplitter(p)
	for i := 0; i < len(text); {
		j := s.next(text, i)
		words = append(words, text[i:j])
		i = j
	}
	return words
}

// randomText joins pieces on which the patterns may go wrong.
func randomText(r *rand.Rand, pieces int) string {
	parts := []string{
		" ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u3000", "\u0085", "\u2028", "\u200b", "\x00", "\x1c",
		"a", "word", "LongerThanEightLetters", "é", "中文", "ǅ", "7", "1984", "½", "٣", "'", "'s", "'ll", "'re", "'v", "'T",
		".", "...", "&apos;", "👩‍👩‍👧", "\u0301", "\xff", "\xe4\xb8", "[", "`", "{", "@", "Z", "z", "_",
	}
	var b strings.Builder
	for range r.IntN(pieces + 1) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

func TestCutsWordsAsTheRegularExpressionsDo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		text := randomText(r, 20)
		for p := range regexps {
			if got, want := wordsOf(p, text), wordsByRegexp(p, text); !slices.Equal(got, want) {
				t.Fatalf("pattern %d cuts %q into %q, want %q", p, text, got, want)
			}
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("They'll go  home\n\n 'cause it's 12½ o'clock ...\t ok ")
	f.Add("a\xff\xfe b\u00a0 中文 'ſ")
	f.Fuzz(func(t *testing.T, text string) {
		for p := range regexps {
			words := wordsOf(p, text)
			if want := wordsByRegexp(p, text); !slices.Equal(words, want) {
				t.Fatalf("pattern %d cuts %q into %q, want %q", p, text, words, want)
			}
			if i := border(text, 1); i > 0 && i < len(text) {
				if parts := slices.Concat(wordsOf(p, text[:i]), wordsOf(p, text[i:])); !slices.Equal(parts, words) {
					t.Fatalf("pattern %d cuts %q into %q, but %q when it is cut at %d before", p, text, words, parts, i)
				}
			}
		}
	})
}

// TestKnowsTheCharactersOfUnicode16 looks at some of those that Go's tables of
// Unicode 15 lack; the reference's patterns know them.
func TestKnowsTheCharactersOfUnicode16(t *testing.T) {
	for r, want := range map[rune]uint8{
		0x1C89: letter, 0xA7CD: letter, 0x10D4A: letter, 0x13460: letter, 0x143FA: letter, 0x2EBF0: letter, 0x2EE5D: letter,
		0x10D40: number, 0x1CCF0: number, 0x1E5FA: number, 0x2EE5E: other, 0x143FB: other,
	} {
		if got := classesOnce().of(r); got != want {
			t.Errorf("%U has the class %d, want %d", r, got, want)
		}
	}
}
