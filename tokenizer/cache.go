package tokenizer

import (
	"hash/maphash"
	"runtime"
)

// encoder is the memory of one goroutine at a time: words seen before with their
// ids, and the scratch space of long words. Its tables have a fixed size; a new
// word takes the place of one that hashes alike and was used less recently.
type encoder struct {
	short [1 << shortBits]shortEntry
	long  [1 << longBits]longEntry
	seed  maphash.Seed

	parts []part // a stack of what steps make

	drop    dropout // of BPE
	ids     []int32
	symbols []symbol
	queue   heap[candidate]
	skipped []candidate

	arcs []arc // of Unigram
	path []int32

	noting bool // nothing is remembered, and notes are taken of the characters that tokens cover
	notes  []note
}

// note is the surface of the token at an index of the ids being made.
type note struct {
	index   int
	surface string
}

// note appends an id that covers surface.
func (e *encoder) note(dst []int32, id int32, surface string) []int32 {
	if e.noting {
		e.notes = append(e.notes, note{len(dst), surface})
	}
	return append(dst, id)
}

const (
	shortBits = 16
	longBits  = 13

	shortKey = 15 // longest word of a shortEntry, in bytes
	shortIDs = 3
	manyIDs  = -1 // n of a shortEntry whose ids are more: they are in a longEntry
	longKey  = 64
	longIDs  = 16

	keptSymbols = 1 << 14 // scratch for longer words than this is not kept
)

// shortEntry holds a word of at most 15 bytes in two integers, its length in the
// topmost byte: comparing words is comparing integers. Two entries fill a cache line.
type shortEntry struct {
	lo, hi uint64
	n      int32
	ids    [shortIDs]int32
}

type longEntry struct {
	key  [longKey]byte
	size uint8 // bytes of key; 0 where the entry is empty
	n    uint8
	ids  [longIDs]int32
}

// acquire lends an encoder that nobody else uses.
func (t *Tokenizer) acquire() *encoder {
	t.idle.Lock()
	defer t.idle.Unlock()
	if n := len(t.idle.encoders); n > 0 {
		e := t.idle.encoders[n-1]
		t.idle.encoders = t.idle.encoders[:n-1]
		return e
	}
	return &encoder{seed: maphash.MakeSeed()}
}

// release takes an encoder back; no more are kept than can run at once.
func (t *Tokenizer) release(e *encoder) {
	e.drop = dropout{}
	e.noting, e.notes = false, nil
	if clear(e.parts[:cap(e.parts)]); cap(e.parts) > keptSymbols { // which would keep texts in memory
		e.parts = nil
	}
	t.idle.Lock()
	defer t.idle.Unlock()
	if len(t.idle.encoders) < runtime.GOMAXPROCS(0) {
		t.idle.encoders = append(t.idle.encoders, e)
	}
}

// keep takes back the scratch space of a long word.
func (e *encoder) keep(s []symbol, queue heap[candidate], skipped []candidate) {
	if len(s) <= keptSymbols {
		e.symbols, e.queue, e.skipped = s, queue, skipped
	} else {
		e.ids = nil
	}
}

// keepArcs lets go of the scratch space of a very long word.
func (e *encoder) keepArcs() {
	if cap(e.arcs) > keptSymbols {
		e.arcs, e.path = nil, nil
	}
}

// differ returns 1 if bits has any set, else 0, without a branch to mispredict.
func differ(bits uint64) int { return int((bits | -bits) >> 63) }

// pair returns the two entries that may hold a word.
func (e *encoder) pair(lo, hi uint64) *[2]shortEntry {
	h := (lo ^ (hi<<32 | hi>>32)) * 0x9E3779B97F4A7C15
	h ^= h >> 32
	h *= 0xD6E8FEB86659FD93
	i := h >> (64 - shortBits) &^ 1
	return (*[2]shortEntry)(e.short[i : i+2])
}

// recall returns the ids of the word text[i:j], if they are remembered.
func (e *encoder) recall(text string, i, j int) ([]int32, bool) {
	if n := j - i; n <= shortKey {
		lo, hi := packKey(text, i, n)
		pair := e.pair(lo, hi)
		entry := &pair[differ(lo^pair[0].lo|hi^pair[0].hi)]
		switch {
		case entry.lo != lo || entry.hi != hi:
			return nil, false
		case entry.n != manyIDs:
			return entry.ids[:entry.n], true
		}
	} else if n > longKey {
		return nil, false
	}
	entry := e.longEntry(text[i:j])
	return entry.ids[:entry.n], string(entry.key[:entry.size]) == text[i:j]
}

// remember keeps the ids of the word text[i:j], if they are not too many.
func (e *encoder) remember(text string, i, j int, ids []int32) {
	if n := j - i; n <= shortKey {
		lo, hi := packKey(text, i, n)
		e.rememberShort(e.pair(lo, hi), lo, hi, ids)
		if len(ids) <= shortIDs {
			return
		}
	}
	if j-i <= longKey && len(ids) <= longIDs {
		e.longEntry(text[i:j]).set(text[i:j], ids)
	}
}

// rememberShort keeps the ids of a short word, or that they are many.
func (e *encoder) rememberShort(pair *[2]shortEntry, lo, hi uint64, ids []int32) {
	pair[1] = pair[0]
	pair[0] = shortEntry{lo: lo, hi: hi, n: manyIDs}
	if len(ids) <= shortIDs {
		pair[0].n = int32(copy(pair[0].ids[:], ids))
	}
}

// longEntry returns the entry that may hold a longer word.
func (e *encoder) longEntry(word string) *longEntry {
	return &e.long[maphash.String(e.seed, word)>>(64-longBits)]
}

func (l *longEntry) set(word string, ids []int32) {
	l.size, l.n = uint8(copy(l.key[:], word)), uint8(copy(l.ids[:], ids))
}

// packKey returns the n ≤ 15 bytes of text at i as two integers, n in the topmost byte.
func packKey(text string, i, n int) (lo, hi uint64) {
	if i+16 <= len(text) {
		m := &keyMasks[n&15]
		return load8(text, i) & m[0], load8(text, i+8)&m[1] | uint64(n)<<56
	}
	for k := range n {
		if k < 8 {
			lo |= uint64(text[i+k]) << (8 * k)
		} else {
			hi |= uint64(text[i+k]) << (8 * (k - 8))
		}
	}
	return lo, hi | uint64(n)<<56
}

// keyMasks keep the first n bytes of 16.
var keyMasks = func() (m [16][2]uint64) {
	for n := range m {
		m[n][0] = 1<<(8*min(n, 8)) - 1
		m[n][1] = 1<<(8*max(n-8, 0)) - 1
	}
	return m
}()
