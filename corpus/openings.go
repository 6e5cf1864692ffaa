package corpus

import (
	"iter"
	"strings"
	"unicode"
)

// Openings are the first words of texts, for a model to go on from.
type Openings struct {
	Least, Most int // words of an opening; how many of a text is drawn from a hash of it
}

// Of returns the opening of a text, without white space around it. A text that does not go on after it has none.
func (o Openings) Of(text string) (opening string, ok bool) {
	want := o.Least + int(sentenceKey(openingSeed, text)%uint64(o.Most-o.Least+1))
	words, from, inside := 0, 0, false
	for at, r := range text {
		switch space := unicode.IsSpace(r); {
		case !space && !inside:
			if words == want {
				return strings.TrimRightFunc(text[from:at], unicode.IsSpace), true
			}
			if words++; words == 1 {
				from = at
			}
			inside = true
		case space:
			inside = false
		}
	}
	return "", false
}

// openingSeed draws the lengths of openings; other hashes of a text tell nothing about them.
const openingSeed = 0x09e4

// All yields the openings of documents, and of each whether its document is held out.
func (o Openings) All(t *Texts, s Split) iter.Seq2[Opening, error] {
	return func(yield func(Opening, error) bool) {
		for d, held := range t.sides(s) {
			text, ok := o.Of(d.Text)
			if d.err == nil && (d.Continues || !ok) {
				continue
			}
			if !yield(Opening{text, held}, d.err) {
				return
			}
		}
	}
}

// Opening is that of a document.
type Opening struct {
	Text string
	Held bool // the document is held out for validation
}
