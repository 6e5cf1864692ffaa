package tokenizer

import "slices"

// appendParts appends the ids of a part of a text, cut by the steps from depth on.
func (t *Tokenizer) appendParts(e *encoder, dst []int32, p part, depth int) []int32 {
	if depth == len(t.steps) {
		return t.appendWords(e, dst, p.text)
	}
	begin := len(e.parts)
	e.parts = t.steps[depth].split(e.parts, p)
	for i, end := begin, len(e.parts); i < end; i++ {
		dst = t.appendParts(e, dst, e.parts[i], depth+1)
	}
	e.parts = e.parts[:begin]
	return dst
}

// appendWord appends the ids of one word, not remembered.
func (t *Tokenizer) appendWord(e *encoder, dst []int32, word string) []int32 {
	if t.words.silent(word) {
		return dst
	}
	return t.model.append(e, dst, word)
}

// appendWords appends the ids of the words of text.
func (t *Tokenizer) appendWords(e *encoder, dst []int32, text string) []int32 {
	if e.drop.p > 0 || e.noting || t.whole {
		for i := 0; i < len(text); {
			j := t.words.next(text, i)
			dst = t.appendWord(e, dst, text[i:j])
			i = j
		}
		return dst
	}
	for i, j := 0, 0; i < len(text); i = j {
		j = t.words.next(text, i)
		if j-i > shortKey {
			dst = t.appendLong(e, dst, text[i:j])
			continue
		}
		lo, hi := packKey(text, i, j-i)
		pair := e.pair(lo, hi)
		entry := &pair[differ(lo^pair[0].lo|hi^pair[0].hi)]
		if entry.lo != lo || entry.hi != hi {
			dst = t.appendNew(e, dst, pair, lo, hi, text[i:j])
			continue
		}
		if entry.n == manyIDs {
			dst = t.appendLong(e, dst, text[i:j])
			continue
		}
		n := len(dst)
		if cap(dst)-n < shortIDs {
			dst = slices.Grow(dst, max(shortIDs, (len(text)-i)/4))
		}
		dst = dst[:n+shortIDs]
		ids := (*[shortIDs]int32)(dst[n:])
		ids[0], ids[1], ids[2] = entry.ids[0], entry.ids[1], entry.ids[2]
		dst = dst[:n+int(entry.n)]
	}
	return dst
}

// appendNew appends the ids of a word of at most 15 bytes that its entries lack.
func (t *Tokenizer) appendNew(e *encoder, dst []int32, pair *[2]shortEntry, lo, hi uint64, word string) []int32 {
	n := len(dst)
	dst = t.appendWord(e, dst, word)
	e.rememberShort(pair, lo, hi, dst[n:])
	return dst
}

// appendLong appends the ids of a word of many bytes or many ids.
func (t *Tokenizer) appendLong(e *encoder, dst []int32, word string) []int32 {
	if len(word) > longKey {
		return t.appendWord(e, dst, word)
	}
	entry := e.longEntry(word)
	if string(entry.key[:entry.size]) == word {
		return append(dst, entry.ids[:entry.n]...)
	}
	n := len(dst)
	dst = t.appendWord(e, dst, word)
	if ids := dst[n:]; len(ids) <= longIDs {
		entry.set(word, ids)
	}
	return dst
}
