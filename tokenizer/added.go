package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is a token that is found in the text itself before any word is cut.
// A special one steers the model (</s>, <pad>); user text never becomes one.
type addedToken struct {
	id             int32
	content        string
	special        bool
	word           bool // is found only where no letter, digit or _ is beside it
	lstrip, rstrip bool // takes the white space before or after it along
}

// matcher finds a set of added tokens in text: leftmost first, the longest of those
// that begin at one place. It is a trie over bytes.
type matcher struct {
	tokens  map[int32]addedToken // by trie node
	edges   map[edge]int32
	first   [256]bool
	only    byte // the byte that all tokens begin with, if single
	single  bool
	special bool // all tokens are special, or there are none
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
	if len(m.tokens) == 0 {
		return 0, a, false
	}
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
		if a, ok = m.at(text, at); ok {
			return at, a, true
		}
	}
	return 0, a, false
}

// at returns the longest added token that begins at text[i]; ok is false if none does.
func (m *matcher) at(text string, i int) (a addedToken, ok bool) {
	if len(m.tokens) == 0 || !m.first[text[i]] {
		return a, false
	}
	node := int32(0)
	for ; i < len(text); i++ {
		if node = m.edges[edge{node, text[i]}]; node == 0 {
			break
		}
		if t, end := m.tokens[node]; end {
			a, ok = t, true
		}
	}
	return a, ok
}

// appendText appends the ids of text. With plain set, special tokens are not looked for;
// the others are.
func (t *Tokenizer) appendText(e *encoder, dst []int32, text string, plain bool) []int32 {
	if t.valid {
		text = mend(text)
	}
	return t.appendPass(e, dst, part{text, true}, plain, 0)
}

// appendPass appends the ids of a part, normalized and cut by passes[n:].
func (t *Tokenizer) appendPass(e *encoder, dst []int32, p part, plain bool, n int) []int32 {
	if p.text == "" {
		return dst
	}
	if n == len(t.passes) {
		return t.appendParts(e, dst, p, 0)
	}
	m, text := &t.passes[n].added, t.passes[n].normalize.normalize(p.text)
	begin := 0
	rest := func(end int) part { return part{text[begin:end], p.first && begin == 0} }
	for from := 0; !plain || !m.special; {
		at, a, ok := m.find(text, from)
		if !ok {
			break
		}
		from = at + len(a.content)
		if plain && a.special || a.word && !alone(text, at, from) {
			continue
		}
		end := from
		if a.lstrip {
			at = max(begin, len(strings.TrimRightFunc(text[:at], unicode.IsSpace)))
		}
		if a.rstrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
		}
		if begin < at { // a token of white space may lie in what the one before took along
			dst = t.appendPass(e, dst, rest(at), plain, n+1)
		}
		dst = e.note(dst, a.id, text[min(at, end):end])
		begin = end
	}
	return t.appendPass(e, dst, rest(len(text)), plain, n+1)
}

// alone reports whether text[begin:end] has neither letters nor digits beside it.
func alone(text string, begin, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:begin])
	after, _ := utf8.DecodeRuneInString(text[end:])
	return (begin == 0 || !wordRune(before)) && (end == len(text) || !wordRune(after))
}
