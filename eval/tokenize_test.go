package eval

import (
	"strings"
	"testing"
)

func TestTokenizers(t *testing.T) {
	cases := []struct{ tokenizer, line, want string }{
		{"none", " two\u00a0spaces,  kept together. ", "two spaces, kept together."},
		{"none", "file\x1cseparator", "file separator"}, // Python splits there

		{"13a", `"Oui," dit-elle, (sans l'ombre d'un doute)!`, `" Oui , " dit-elle , ( sans l'ombre d'un doute ) !`},
		{"13a", "1,000.50 is a number; 3-4 and .5 too", "1,000.50 is a number ; 3 - 4 and . 5 too"},
		{"13a", "wait... e.g. v1.x", "wait . . . e . g . v1 . x"},
		{"13a", "In 1999.", "In 1999 ."},
		{"13a", "&quot;x&quot; &amp;lt; y&gt;", `" x " < y >`}, // &amp; first, so that &lt; appears
		{"13a", "hyphen-\nated <skipped>line\nbreak", "hyphenated line break"},
		{"13a", "«déjà»… 5€", "«déjà»… 5€"}, // ASCII only

		{"intl", "«Déjà», dit-il…", "« Déjà » , dit - il …"},
		{"intl", "1,000.50 for 5€ + 3% now", "1,000.50 for 5 € + 3 % now"},
		{"intl", "In 1999.", "In 1999."}, // the standard's own slip
		{"intl", "¿Qué? 10½", "¿ Qué ? 10½"},

		{"char", "un été 😀", "u n é t é 😀"},

		{"zh", "我买了 iPhone15，3.5折！", "我 买 了 iPhone15 ， 3.5 折 ！"},
		{"zh", "he said “no”, →", "he said “ no ” , →"}, // taken for Chinese: see chineseRanges
		{"zh", "a𠀀b", "a𠀀b"}, // extension B is not
	}
	for _, c := range cases {
		if got := strings.Join(tokenizers[c.tokenizer](c.line), " "); got != c.want {
			t.Errorf("%s of %q\ngot  %q\nwant %q", c.tokenizer, c.line, got, c.want)
		}
	}
}

func TestLowerCaseOfLettersWithoutAFixedOne(t *testing.T) {
	for upper, want := range map[string]string{
		"ÉTÉ":    "été",
		"ΣΟΦΟΣ":  "σοφος",   // a sigma is final at the end of a word
		"İZMİR":  "i̇zmi̇r", // the dot becomes a character of its own
		"STRAẞE": "straße",
	} {
		if got := lower(upper); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTercomWords(t *testing.T) {
	cases := []struct {
		ter        TER
		line, want string
	}{
		{TER{}, "The cat's (1.5) mat.", "the cat's (1.5) mat."},
		{TER{CaseSensitive: true}, "The cat.", "The cat."},
		{TER{Normalized: true}, "The cat's (1.5) mat.", "the cat 's ( 1.5 ) mat ."},
		{TER{Normalized: true}, "&quot;so&quot;\n-called\nline 3-4", `" so " called line 3 - 4`},
		{TER{NoPunct: true}, `"So," (he said) - it's: 1.5!`, "so he said - it's 15"},
		{TER{NoPunct: true}, "好，吗？", "好，吗？"},
		{TER{NoPunct: true, AsianSupport: true}, "好，吗？", "好吗"},
		{TER{AsianSupport: true}, "好吗", "好吗"}, // without another option it does nothing
		{TER{Normalized: true, AsianSupport: true}, "好吗，かな・OK", "好 吗 ， かな ・ ok"},
	}
	for _, c := range cases {
		if got := strings.Join(c.ter.words(c.line), " "); got != c.want {
			t.Errorf("%+v of %q\ngot  %q\nwant %q", c.ter, c.line, got, c.want)
		}
	}
}
