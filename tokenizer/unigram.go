package tokenizer

import (
	"math"
	"slices"
	"unicode/utf8"
)

// unigram cuts a word into the pieces whose scores, logarithms of probabilities, have
// the highest sum (Kudo 2018).
type unigram struct {
	trie   trie // values are indices of pieces
	pieces []piece
	unk    int32   // id for characters that no piece covers; noToken drops them
	price  float64 // score of such a character
	rest   int32   // a piece that is treated like such a character; noToken if none is

	// single makes sums as SentencePiece does, in single precision.
	single bool
	// bytes is the id of the tokens <0x00> to <0xFF>, which take the place of unk;
	// noToken where the vocabulary lacks one.
	bytes [256]int32
	// ids is the vocabulary in which uncovered characters, taken together, are looked
	// up once more.
	ids map[string]int32
}

// piece is a token of a unigram model.
type piece struct {
	id    int32
	score float64
}

// unknownPenalty is how much less likely an uncovered character is than the least
// likely piece.
const unknownPenalty = 10

// unknownPiece stands for a character that no piece covers.
const unknownPiece = int32(-2)

// arc is the best way to reach a place in a word: the piece that ends there.
type arc struct {
	sum    float64
	margin float64 // by which it is better than the second best
	begin  int32   // noToken where the place is not reached yet
	piece  int32
}

// append appends the ids of one word.
func (m *unigram) append(e *encoder, dst []int32, word string) []int32 {
	m.search(e, word, 0)
	dst = m.appendPath(e, dst, word)
	e.keepArcs()
	return dst
}

// appendPath appends the ids of the best way through a word that was searched.
func (m *unigram) appendPath(e *encoder, dst []int32, word string) []int32 {
	path := e.path[:0]
	for end := len(word); end > 0; end = int(e.arcs[end].begin) {
		path = append(path, int32(end))
	}
	slices.Reverse(path)
	for i, begin := 0, 0; i < len(path); i++ {
		end := int(path[i])
		if p := e.arcs[end].piece; !m.unknown(p) {
			dst = e.note(dst, m.pieces[p].id, word[begin:end])
		} else if i+1 < len(path) && m.unknown(e.arcs[path[i+1]].piece) {
			continue // neighbouring unknown characters are one token
		} else {
			dst = m.appendUnknown(e, dst, word[begin:end])
		}
		begin = end
	}
	e.path = path
	return dst
}

// unknown reports whether what an arc passes over has no token of its own.
func (m *unigram) unknown(p int32) bool { return p == unknownPiece || p == m.rest }

// search fills e.arcs with the best way to each place in word, when the sum before it is
// start.
func (m *unigram) search(e *encoder, word string, start float64) {
	arcs := slices.Grow(e.arcs[:0], len(word)+1)[:len(word)+1]
	for i := range arcs {
		arcs[i].begin = noToken
	}
	arcs[0] = arc{sum: start}
	for at, width := 0, 0; at < len(word); at += width {
		width = characterAt(word, at)
		sum, covered := arcs[at].sum, false
		node := trieRoot
		for end := at; end < len(word); {
			if node = m.trie.next(node, word[end]); node == noToken {
				break
			}
			end++
			if p := m.trie[node].value; p != noToken {
				m.reach(&arcs[end], sum+m.pieces[p].score, at, p)
				covered = covered || end == at+width
			}
		}
		if !covered {
			m.reach(&arcs[at+width], sum+m.price, at, unknownPiece)
		}
	}
	e.arcs = arcs
}

// reach notes a way to a place if it is the best so far; of equals the first stays.
func (m *unigram) reach(a *arc, sum float64, begin int, piece int32) {
	if m.single {
		sum = float64(float32(sum))
	}
	switch {
	case a.begin == noToken:
		*a = arc{sum, math.Inf(1), int32(begin), piece}
	case sum > a.sum:
		*a = arc{sum, sum - a.sum, int32(begin), piece}
	default:
		a.margin = min(a.margin, a.sum-sum)
	}
}

// characterAt returns the width of the character at text[i].
func characterAt(text string, i int) int {
	if text[i] < utf8.RuneSelf {
		return 1
	}
	_, width := utf8.DecodeRuneInString(text[i:])
	return width
}

// appendUnknown appends what stands for characters that no piece covers.
func (m *unigram) appendUnknown(e *encoder, dst []int32, surface string) []int32 {
	if id, ok := m.ids[surface]; ok {
		return e.note(dst, id, surface)
	}
	if more := appendBytes(dst, &m.bytes, surface); len(more) > len(dst) {
		return more
	}
	if m.unk == noToken {
		return dst
	}
	return e.note(dst, m.unk, surface)
}

// lowestScore returns the price of an uncovered character for pieces of these scores.
func lowestScore(scores []float64) float64 {
	lowest := math.Inf(1)
	for _, s := range scores {
		lowest = min(lowest, s)
	}
	if len(scores) == 0 {
		lowest = 0
	}
	return lowest - unknownPenalty
}
