package tokenizer

import (
	"strings"
)

// addedToken is a token that is found in the text itself before any word is cut.
// A special one steers the model (</s>, <pad>); user text never becomes one.
type addedToken struct {
	id      int32
	content string
	special bool
}

// matcher finds a set of added tokens in text: leftmost first, the longest of those
// that begin at one place. It is a trie over bytes.
type matcher struct {
	tokens  map[int32]addedToken // by trie node
	edges   map[edge]int32
	first   [256]bool
	only    byte // the byte that all tokens begin with, if single
	single  bool
	special bool // all tokens are special
}

type edge struct {
	node int32
	b    byte
}

func newMatcher(tokens []addedToken) matcher {
	m := matcher{tokens: map[int32]addedToken{}, edges: map[edge]int32{}, single: true, special: true}
	for i, a := range tokens {
		m.first[a.content[0]] = true
		m.single = m.single && a.content[0] == tokens[0].content[0]
		m.special = m.special && a.special
		m.only = tokens[i].content[0]
		node := int32(0)
		for j := range len(a.content) {
			e := edge{node, a.content[j]}
			if m.edges[e] == 0 {
				m.edges[e] = int32(len(m.edges)) + 1
			}
			node = m.edges[e]
		}
		m.tokens[node] = a
	}
	return m
}

// find returns the first added token in text at or after from, and where it begins;
// ok is false if there is none.
func (m *matcher) find(text string, from int) (at int, a addedToken, ok bool) {
	for at = from; at < len(text); at++ {
		if m.single {
			i := strings.IndexByte(text[at:], m.only)
			if i < 0 {
				return 0, a, false
			}
			at += i
		} else if !m.first[text[at]] {
			continue
		}
		node := int32(0)
		for j := at; j < len(text); j++ {
			if node = m.edges[edge{node, text[j]}]; node == 0 {
				break
			}
			if t, end := m.tokens[node]; end {
				a, ok = t, true
			}
		}
		if ok {
			return at, a, true
		}
	}
	return 0, a, false
}

// appendText appends the ids of text, cut by the added tokens of matchers[pass:].
// With plain set, special tokens are not looked for; the others are.
func (t *Tokenizer) appendText(e *encoder, dst []int32, text string, plain bool, pass int) []int32 {
	for pass < len(t.matchers) && plain && t.matchers[pass].special {
		pass++
	}
	if pass == len(t.matchers) {
		return t.appendPart(e, dst, text)
	}
	begin := 0
	for from := 0; ; {
		at, a, ok := t.matchers[pass].find(text, from)
		if !ok {
			return t.appendText(e, dst, text[begin:], plain, pass+1)
		}
		from = at + len(a.content)
		if plain && a.special {
			continue
		}
		dst = t.appendText(e, dst, text[begin:at], plain, pass+1)
		dst = append(dst, a.id)
		begin = from
	}
}
