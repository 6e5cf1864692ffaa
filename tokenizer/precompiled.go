package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// charMap is SentencePiece's precompiled map of characters to normalized ones: a trie
// in Darts' units and the strings that it leads to, each with a NUL after it.
type charMap struct {
	units   []uint32
	strings string
	plain   [utf8.RuneSelf]bool // bytes that stay what they are when ASCII follows, or nothing
}

// newCharMap reads the map as a .model or a tokenizer.json holds it.
func newCharMap(data []byte) (*charMap, error) {
	if len(data) < 4 {
		return nil, errors.New("the character map is too short")
	}
	size := binary.LittleEndian.Uint32(data)
	if uint64(size) > uint64(len(data)-4) || size%4 != 0 {
		return nil, fmt.Errorf("the character map has a trie of %d bytes in %d", size, len(data)-4)
	}
	m := &charMap{units: make([]uint32, size/4), strings: string(data[4+size:])}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(data[4+4*i:])
	}
	for c := range m.plain {
		m.plain[c] = m.isPlain(byte(c))
	}
	return m, nil
}

// mapNode is a node of the trie: where its children are, and whether it has a value.
type mapNode struct {
	at   uint32
	leaf bool
}

// child returns the node below p by a byte.
func (m *charMap) child(p mapNode, c byte) (mapNode, bool) {
	next := p.at ^ uint32(c)
	if uint64(next) >= uint64(len(m.units)) {
		return mapNode{}, false
	}
	unit := m.units[next]
	if unit&(1<<31|0xFF) != uint32(c) {
		return mapNode{}, false
	}
	return mapNode{next ^ offset(unit), unit>>8&1 == 1}, true
}

// offset is how far a unit's children are.
func offset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

// root returns the node above all first bytes.
func (m *charMap) root() mapNode {
	if len(m.units) == 0 {
		return mapNode{}
	}
	return mapNode{at: offset(m.units[0])}
}

// value returns what the string that leads to p becomes, if it is an entry.
func (m *charMap) value(p mapNode) (string, bool) {
	if !p.leaf || uint64(p.at) >= uint64(len(m.units)) {
		return "", false
	}
	begin := m.units[p.at] &^ (1 << 31)
	if uint64(begin) > uint64(len(m.strings)) {
		return "", false
	}
	text, _, _ := strings.Cut(m.strings[begin:], "\x00")
	return text, true
}

// isPlain reports whether no entry is c, or begins with c and another ASCII character.
func (m *charMap) isPlain(c byte) bool {
	at, ok := m.child(m.root(), c)
	if !ok {
		return true
	}
	if _, mapped := m.value(at); mapped {
		return false
	}
	for next := byte(1); next < utf8.RuneSelf; next++ {
		if _, ok := m.child(at, next); ok {
			return false
		}
	}
	return true
}

// plainUntil returns where the run of plain characters from text[i] ends.
func (m *charMap) plainUntil(text string, i int) int {
	for i < len(text) && text[i] < utf8.RuneSelf && m.plain[text[i]] {
		if i+1 < len(text) && text[i+1] >= utf8.RuneSelf {
			break
		}
		i++
	}
	return i
}

// prefix returns what the shortest, or the longest, entry that text begins with becomes,
// and the entry's length, 0 if there is none.
func (m *charMap) prefix(text string, longest bool) (mapped string, n int) {
	at := m.root()
	for i := range len(text) {
		var ok bool
		if at, ok = m.child(at, text[i]); !ok || text[i] == 0 {
			break
		}
		if v, ok := m.value(at); ok {
			mapped, n = v, i+1
			if !longest {
				break
			}
		}
	}
	return mapped, n
}

// precompiled applies a character map as Hugging Face tokenizers do: to short grapheme
// clusters (UAX #29) and then to characters, taking the shortest entry that each begins
// with for the whole of it. SentencePiece does otherwise; see [sentencePieceNormalizer].
type precompiled struct{ *charMap }

// shortCluster is the longest cluster, in bytes, that is looked up as a whole.
const shortCluster = 5

func (p precompiled) normalize(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for state := -1; text != ""; {
		if n := p.plainUntil(text, 0); n > 0 {
			b.WriteString(text[:n])
			text, state = text[n:], -1
			continue
		}
		var cluster string
		cluster, text, _, state = uniseg.FirstGraphemeClusterInString(text, state)
		if len(cluster) <= shortCluster {
			if mapped, n := p.prefix(cluster, false); n > 0 {
				b.WriteString(mapped)
				continue
			}
		}
		for i, r := range cluster {
			if mapped, n := p.prefix(cluster[i:i+utf8.RuneLen(r)], false); n > 0 {
				b.WriteString(mapped)
			} else {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}
