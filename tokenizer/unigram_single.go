package tokenizer

// singleUnigram is a Unigram model as SentencePiece applies it: to a whole text at once,
// with sums in single precision. A text of many words has a large sum, whose last bits
// can decide between two ways to cut a word; so the same word may be cut in two ways.
//
// If no piece crosses the beginning of a word, all that a word needs to know of what is
// before it is the sum. And if the best way to cut it is better than all others by more
// than rounding can change, it needs to know nothing, and the word can be remembered.
type singleUnigram struct {
	unigram
	words  bool      // no piece has something else before ▁
	scores []float32 // of pieces and of an unknown character, by id
}

// largestSum is how far from zero a sum may be for words to be remembered. Up to
// 16,384 single precision has steps of 2⁻¹⁰.
const (
	largestSum = 14000
	step10     = 1.0 / 1024
)

// newSingleUnigram takes over a model; size is the number of ids.
func newSingleUnigram(u *unigram, size int, words bool) *singleUnigram {
	m := &singleUnigram{unigram: *u, words: words, scores: make([]float32, size)}
	for _, p := range u.pieces {
		m.scores[p.id] = float32(p.score)
	}
	if u.unk != noToken {
		m.scores[u.unk] = float32(u.price)
	}
	return m
}

// append appends the ids of a whole text.
func (m *singleUnigram) append(e *encoder, dst []int32, text string) []int32 {
	if !m.words || e.noting {
		return m.unigram.append(e, dst, text)
	}
	sum := float32(0)
	for i, j := 0, 0; i < len(text); i = j {
		j = nextUnderline(text, i)
		if sum > -largestSum {
			if ids, ok := e.recall(text, i, j); ok {
				for _, id := range ids {
					sum += m.scores[id]
				}
				dst = append(dst, ids...)
				continue
			}
		}
		n := len(dst)
		m.search(e, text[i:j], float64(sum))
		dst = m.appendPath(e, dst, text[i:j])
		if ids := dst[n:]; sum > -largestSum && m.clear(e, j-i, ids) {
			e.remember(text, i, j, ids)
		}
		sum = float32(e.arcs[j-i].sum)
	}
	e.keepArcs()
	return dst
}

// clear reports whether the way found through a word of n bytes, with these ids, is the
// best whatever the sum before it, and its score the sum of its ids'. Two ways of at most
// n pieces each can come n steps closer to each other by rounding, both when the word is
// first searched and later.
func (m *singleUnigram) clear(e *encoder, n int, ids []int32) bool {
	pieces, unknown := 0, 0
	for end := n; end > 0; end = int(e.arcs[end].begin) {
		a := &e.arcs[end]
		if a.margin <= float64(2*n)*step10 {
			return false
		}
		pieces++
		if a.piece == unknownPiece {
			unknown++
		}
	}
	for _, id := range ids {
		if id == m.unk {
			unknown--
		}
	}
	// Else an unknown character became another token, or bytes, or one with its neighbour.
	return len(ids) == pieces && unknown == 0
}
