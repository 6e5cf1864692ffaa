package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// TestManyMarksAreNormalizedAsFewAre compares the code for long runs of marks with
// package norm, where that does not insert joiners.
func TestManyMarksAreNormalizedAsFewAre(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	parts := []string{
		"a", "e", "ς", "Å", "ạ", "ế", "\u0301", "\u0323", "\u0302", "\u0344", "\u0f71\u0f72", "\u1112", "\u1161", "\u11ab", "한", "하",
		"ﬁ", "①", "\u212b", "\u1e9b\u0323", "\u0b47\u0b56", "\u09c7\u09be", "\u0958", "\u2126", " ", "中", "\U0001d15e", "\u3099", "か",
	}
	for range 20000 {
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		text := b.String()
		for name, form := range map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD} {
			runes := normalForm(form).decompose(text)
			if form == norm.NFC || form == norm.NFKC {
				runes = compose(runes)
			}
			if got, want := string(runes), form.String(text); got != want {
				t.Fatalf("%s of %+q is %+q, want %+q", name, text, got, want)
			}
		}
	}
}

func TestNoJoinersAreInserted(t *testing.T) {
	text := "a" + strings.Repeat("\u0323\u0301", 100)
	want := "ạ" + strings.Repeat("\u0323", 99) + strings.Repeat("\u0301", 100)
	if got := normalForm(norm.NFC).normalize(text); got != want {
		t.Errorf("%+q, want %+q", got, want)
	}
}
