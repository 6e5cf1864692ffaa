package corpus

import (
	"cmp"
	"iter"
	"maps"
	"math"
	"slices"
)

// Split parts documents into training and validation text.
type Split struct {
	Seed  uint64
	Share float64 // of the documents, or of the tokens, that is held out; 0: nothing
	AtEnd bool    // the end of the text is held out, wherever that is in a document, instead of whole documents
}

// fewDocuments are too few to choose some from.
const fewDocuments = 100

// NewSplit holds a share of the documents out, or where there are fewer than 100 of them the end of the text.
func (t *Texts) NewSplit(seed uint64, share float64) (Split, error) {
	documents := 0
	for d, err := range t.All() {
		if err != nil {
			return Split{}, err
		}
		if !d.Continues {
			documents++
		}
		if documents == fewDocuments {
			break
		}
	}
	return Split{Seed: seed, Share: share, AtEnd: documents < fewDocuments}, nil
}

// holdsOut says whether a document is for validation, by a hash of its text (of the first part, if it comes in parts): the
// choice does not depend on the other documents or their order, and equal documents go to the same side.
func (s Split) holdsOut(text string) bool {
	return !s.AtEnd && s.Share > 0 && float64(sentenceKey(s.Seed, text)) < s.Share*math.MaxUint64
}

// Training returns the texts that are not held out; with AtEnd all of them, since that border is one of tokens.
func (t *Texts) Training(s Split) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for d, held := range t.sides(s) {
			if !held && !yield(d.Text, d.err) {
				return
			}
		}
	}
}

// side is a document on its way to one of the two, or the error that ends the reading.
type side struct {
	Document
	err error
}

// sides says of every document whether it is held out.
func (t *Texts) sides(s Split) iter.Seq2[side, bool] {
	return func(yield func(side, bool) bool) {
		held := false
		for d, err := range t.All() {
			if err == nil && !d.Continues {
				held = s.holdsOut(d.Text)
			}
			if !yield(side{d, err}, held && err == nil) {
				return
			}
		}
	}
}

// HoldOut says of each key whether what has it is for validation: a share of the different keys, at least one of them if
// there are two. Which ones they are depends on the seed and the keys alone, not on their order.
func HoldOut(keys []string, seed uint64, share float64) []bool {
	hash := map[string]uint64{}
	for _, k := range keys {
		hash[k] = sentenceKey(seed, k)
	}
	different := slices.SortedFunc(maps.Keys(hash), func(a, b string) int {
		return cmp.Or(cmp.Compare(hash[a], hash[b]), cmp.Compare(a, b))
	})
	n := 0
	if share > 0 && len(different) > 1 {
		n = min(max(1, int(math.Round(share*float64(len(different))))), len(different)-1)
	}
	chosen := map[string]bool{}
	for _, k := range different[:n] {
		chosen[k] = true
	}
	held := make([]bool, len(keys))
	for i, k := range keys {
		held[i] = chosen[k]
	}
	return held
}
