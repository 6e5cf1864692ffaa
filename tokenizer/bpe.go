package tokenizer

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"unicode/utf8"
)

const (
	noToken = int32(-1)
	noRank  = int32(math.MaxInt32)
)

// pairTable maps a pair of ids to its merge: flat open addressing with linear
// probing, at most half full.
type pairTable struct {
	slots []pairSlot
	shift uint
}

type pairSlot struct {
	pair uint64
	rank int32 // noRank where the slot is empty
	id   int32 // what the pair becomes
}

func pairOf(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

func hashPair(pair uint64) uint64 { return (pair ^ pair>>29) * 0x9E3779B97F4A7C15 }

func newPairTable(n int) pairTable {
	size := uint(bits.Len(uint(max(2*n, 4) - 1)))
	t := pairTable{slots: make([]pairSlot, 1<<size), shift: 64 - size}
	for i := range t.slots {
		t.slots[i].rank = noRank
	}
	return t
}

// add makes a merge: left and right become id. A pair that comes again takes the
// later rank, as in the reference.
func (t *pairTable) add(left, right, rank, id int32) {
	*t.slot(left, right) = pairSlot{pairOf(left, right), rank, id}
}

// slot returns the place of a pair, or the empty one where it belongs.
func (t *pairTable) slot(left, right int32) *pairSlot {
	pair := pairOf(left, right)
	mask := uint64(len(t.slots) - 1)
	i := hashPair(pair) >> t.shift
	for {
		s := &t.slots[i&mask]
		if s.pair == pair || s.rank == noRank {
			return s
		}
		i++
	}
}

// rank returns the rank of the merge of two ids, noRank if there is none. Merges of
// one rank are made from the left.
func (t *pairTable) rank(left, right int32) int32 { return t.slot(left, right).rank }

// merged returns what two ids become whose merge has a rank.
func (t *pairTable) merged(left, right int32) int32 { return t.slot(left, right).id }

// dropout skips each possible merge with probability p each time it comes up:
// BPE-dropout (Provilkov et al. 2020), which shows a model many ways to cut a word.
// The zero value never skips.
type dropout struct {
	p   float64
	rng *rand.Rand
}

func (d dropout) skips() bool { return d.p > 0 && d.rng.Float64() < d.p }

// bpe is byte-pair encoding: a word begins as symbols, single bytes or characters,
// and neighbours merge, those of the lowest rank first.
type bpe struct {
	merges pairTable
	chars  *charTable // where symbols are characters; nil where they are bytes
	// bytes is the id of each byte, noToken where the vocabulary lacks it; with chars,
	// of the tokens <0x00> to <0xFF>, for the bytes of characters that it lacks.
	bytes [256]int32
	unk   int32            // id for what the vocabulary lacks; noToken drops it
	fuse  bool             // neighbouring unk are one
	whole map[string]int32 // tokens that words become without merging, if whole in here
}

// charTable is the id of each character that is a token.
type charTable struct {
	ascii [utf8.RuneSelf]int32
	wide  map[rune]int32
}

// newCharTable finds the tokens of one character.
func newCharTable(ids map[string]int32) *charTable {
	t := &charTable{wide: map[rune]int32{}}
	for c := range t.ascii {
		t.ascii[c] = noToken
	}
	for token, id := range ids {
		switch r, width := utf8.DecodeRuneInString(token); {
		case width != len(token):
		case r < utf8.RuneSelf:
			t.ascii[r] = id
		default:
			t.wide[r] = id
		}
	}
	return t
}

func (t *charTable) id(r rune) int32 {
	if r < utf8.RuneSelf {
		return t.ascii[r]
	}
	if id, ok := t.wide[r]; ok {
		return id
	}
	return noToken
}

// symbols appends the ids with which a word begins.
func (m *bpe) symbols(dst []int32, word string) []int32 {
	if m.chars != nil {
		return m.charSymbols(dst, word)
	}
	unknown := false
	for i := range len(word) {
		id := m.bytes[word[i]]
		if id == noToken {
			if id = m.unk; id == noToken || m.fuse && unknown {
				continue
			}
			unknown = true
		} else {
			unknown = false
		}
		dst = append(dst, id)
	}
	return dst
}

// charSymbols appends the ids of a word's characters. One that the vocabulary lacks
// becomes its bytes or, if it lacks one of those too, unk, which in the reference comes
// after any bytes that follow it.
func (m *bpe) charSymbols(dst []int32, word string) []int32 {
	unknown := false
	for i, width := 0, 0; i < len(word); i += width {
		var r rune
		r, width = utf8.DecodeRuneInString(word[i:])
		if id := m.chars.id(r); id != noToken {
			if unknown {
				dst, unknown = append(dst, m.unk), false
			}
			dst = append(dst, id)
			continue
		}
		if more := appendBytes(dst, &m.bytes, word[i:i+width]); len(more) > len(dst) {
			dst = more
			continue
		}
		if unknown && !m.fuse {
			dst = append(dst, m.unk)
		}
		unknown = m.unk != noToken
	}
	if unknown {
		dst = append(dst, m.unk)
	}
	return dst
}

// appendBytes appends the tokens of bytes, or nothing if one is missing.
func appendBytes(dst []int32, ids *[256]int32, bytes string) []int32 {
	for i := range len(bytes) {
		if ids[bytes[i]] == noToken {
			return dst
		}
	}
	for i := range len(bytes) {
		dst = append(dst, ids[bytes[i]])
	}
	return dst
}

// shortWord is the longest word, in bytes, that is merged by scanning all pairs at
// each step; longer ones go through a priority queue.
const shortWord = 64

// append appends the ids of one word.
func (m *bpe) append(e *encoder, dst []int32, word string) []int32 {
	if id, ok := m.whole[word]; ok {
		return append(dst, id)
	}
	if len(word) > shortWord {
		return m.appendLong(e, dst, word)
	}
	var ids, ranks [shortWord]int32
	n := len(m.symbols(ids[:0], word))
	for i := 0; i+1 < n; i++ {
		ranks[i] = m.merges.rank(ids[i], ids[i+1])
	}
	for n > 1 {
		at, best := 0, noRank
		for i, r := range ranks[:n-1] {
			if r < best && !e.drop.skips() {
				at, best = i, r
			}
		}
		if best == noRank {
			break
		}
		ids[at] = m.merges.merged(ids[at], ids[at+1])
		copy(ids[at+1:n-1], ids[at+2:n])
		copy(ranks[at:n-2], ranks[at+1:n-1])
		n--
		if at > 0 {
			ranks[at-1] = m.merges.rank(ids[at-1], ids[at])
		}
		if at < n-1 {
			ranks[at] = m.merges.rank(ids[at], ids[at+1])
		}
	}
	return append(dst, ids[:n]...)
}

// symbol is a token of a long word under way, in a list linked by index. rank is
// the merge with its right neighbour; a symbol that was merged away has id noToken.
type symbol struct{ id, rank, prev, next int32 }

// candidate is a possible merge in a long word: rank above position, so that
// the smaller number goes first.
type candidate uint64

//lint:ignore U1000 heap calls it
func (c candidate) before(d candidate) bool { return c < d }

// appendLong appends the ids of a word in O(n log n). A candidate is stale when
// its symbol has another rank by now.
func (m *bpe) appendLong(e *encoder, dst []int32, word string) []int32 {
	s := e.symbols[:0]
	e.ids = m.symbols(e.ids[:0], word)
	for _, id := range e.ids {
		s = append(s, symbol{id: id, prev: int32(len(s)) - 1, next: int32(len(s)) + 1})
	}
	queue, skipped := e.queue[:0], e.skipped[:0]
	for i := range s {
		s[i].rank = noRank
		if i+1 < len(s) {
			s[i].rank = m.merges.rank(s[i].id, s[i+1].id)
		}
		if s[i].rank != noRank {
			queue = append(queue, candidate(s[i].rank)<<32|candidate(i))
		}
	}
	queue.order()
	for len(queue) > 0 {
		c := queue.pop()
		at, rank := int32(uint32(c)), int32(c>>32)
		if s[at].rank != rank {
			continue
		}
		if e.drop.skips() {
			skipped = append(skipped, c)
			continue
		}
		for _, c := range skipped {
			queue.push(c)
		}
		skipped = skipped[:0]
		m.mergeAt(s, &queue, at)
	}
	for i := int32(0); int(i) < len(s); i = s[i].next {
		dst = append(dst, s[i].id)
	}
	e.keep(s, queue, skipped)
	return dst
}

// mergeAt merges symbol i with its right neighbour and queues the new pairs.
func (m *bpe) mergeAt(s []symbol, queue *heap[candidate], i int32) {
	right := s[i].next
	s[i].id = m.merges.merged(s[i].id, s[right].id)
	s[i].next = s[right].next
	s[right].id, s[right].rank = noToken, noRank
	s[i].rank = noRank
	if n := s[i].next; int(n) < len(s) {
		s[n].prev = i
		m.offer(s, queue, i, n)
	}
	if p := s[i].prev; p >= 0 {
		m.offer(s, queue, p, i)
	}
}

// offer finds the rank of neighbouring symbols left and right and queues their merge.
func (m *bpe) offer(s []symbol, queue *heap[candidate], left, right int32) {
	rank := m.merges.rank(s[left].id, s[right].id)
	if s[left].rank = rank; rank != noRank {
		queue.push(candidate(rank)<<32 | candidate(left))
	}
}
