package tokenizer

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

const (
	noToken = int32(-1)
	noRank  = int32(math.MaxInt32)
)

// pairTable maps a pair of ids to its merge: flat open addressing with linear
// probing, at most half full.
type pairTable struct {
	slots  []pairSlot
	shift  uint
	byRank []int32 // the id that each merge makes
}

type pairSlot struct {
	pair uint64
	rank int32 // noRank where the slot is empty
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

// add makes the next merge: left and right become id. A pair that comes again
// takes the later rank, as in the reference.
func (t *pairTable) add(left, right, id int32) {
	pair := pairOf(left, right)
	mask := uint64(len(t.slots) - 1)
	i := hashPair(pair) >> t.shift
	for t.slots[i].rank != noRank && t.slots[i].pair != pair {
		i = (i + 1) & mask
	}
	t.slots[i] = pairSlot{pair, int32(len(t.byRank))}
	t.byRank = append(t.byRank, id)
}

// rank returns the rank of the merge of two ids, noRank if there is none.
func (t *pairTable) rank(left, right int32) int32 {
	pair := pairOf(left, right)
	mask := uint64(len(t.slots) - 1)
	i := hashPair(pair) >> t.shift
	for {
		s := &t.slots[i&mask]
		if s.pair == pair || s.rank == noRank {
			return s.rank
		}
		i++
	}
}

// dropout skips each possible merge with probability p each time it comes up:
// BPE-dropout (Provilkov et al. 2020), which shows a model many ways to cut a word.
// The zero value never skips.
type dropout struct {
	p   float64
	rng *rand.Rand
}

func (d dropout) skips() bool { return d.p > 0 && d.rng.Float64() < d.p }

// shortWord is the longest word, in bytes, that is merged by scanning all pairs at
// each step; longer ones go through a priority queue.
const shortWord = 64

// appendWord appends the ids of one word.
func (t *Tokenizer) appendWord(e *encoder, dst []int32, word string) []int32 {
	if len(word) > shortWord {
		return t.appendLongWord(e, dst, word)
	}
	var ids, ranks [shortWord]int32
	n := 0
	for i := range len(word) {
		if id := t.byteID(word[i]); id != noToken {
			ids[n] = id
			n++
		}
	}
	for i := 0; i+1 < n; i++ {
		ranks[i] = t.merges.rank(ids[i], ids[i+1])
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
		ids[at] = t.merges.byRank[best]
		copy(ids[at+1:n-1], ids[at+2:n])
		copy(ranks[at:n-2], ranks[at+1:n-1])
		n--
		if at > 0 {
			ranks[at-1] = t.merges.rank(ids[at-1], ids[at])
		}
		if at < n-1 {
			ranks[at] = t.merges.rank(ids[at], ids[at+1])
		}
	}
	return append(dst, ids[:n]...)
}

// byteID returns the id of a byte, the unknown token's, or noToken.
func (t *Tokenizer) byteID(b byte) int32 {
	if id := t.bytes[b]; id != noToken {
		return id
	}
	return t.unk
}

// symbol is a token of a long word under way, in a list linked by index. rank is
// the merge with its right neighbour; a symbol that was merged away has id noToken.
type symbol struct{ id, rank, prev, next int32 }

// candidate is a possible merge in a long word: rank above position, so that
// the smaller number goes first.
type candidate uint64

//lint:ignore U1000 heap calls it
func (c candidate) before(d candidate) bool { return c < d }

// appendLongWord appends the ids of a word in O(n log n). A candidate is stale when
// its symbol has another rank by now.
func (t *Tokenizer) appendLongWord(e *encoder, dst []int32, word string) []int32 {
	s := e.symbols[:0]
	for i := range len(word) {
		if id := t.byteID(word[i]); id != noToken {
			s = append(s, symbol{id: id, prev: int32(len(s)) - 1, next: int32(len(s)) + 1})
		}
	}
	queue, skipped := e.queue[:0], e.skipped[:0]
	for i := range s {
		s[i].rank = noRank
		if i+1 < len(s) {
			s[i].rank = t.merges.rank(s[i].id, s[i+1].id)
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
		t.mergeAt(s, &queue, at)
	}
	for i := int32(0); int(i) < len(s); i = s[i].next {
		dst = append(dst, s[i].id)
	}
	e.keep(s, queue, skipped)
	return dst
}

// mergeAt merges symbol i with its right neighbour and queues the new pairs.
func (t *Tokenizer) mergeAt(s []symbol, queue *heap[candidate], i int32) {
	right := s[i].next
	s[i].id = t.merges.byRank[s[i].rank]
	s[i].next = s[right].next
	s[right].id, s[right].rank = noToken, noRank
	s[i].rank = noRank
	if n := s[i].next; int(n) < len(s) {
		s[n].prev = i
		t.offer(s, queue, i, n)
	}
	if p := s[i].prev; p >= 0 {
		t.offer(s, queue, p, i)
	}
}

// offer finds the rank of neighbouring symbols left and right and queues their merge.
func (t *Tokenizer) offer(s []symbol, queue *heap[candidate], left, right int32) {
	rank := t.merges.rank(s[left].id, s[right].id)
	if s[left].rank = rank; rank != noRank {
		queue.push(candidate(rank)<<32 | candidate(left))
	}
}
