package tokenizer

import (
	"unicode/utf8"
)

// wordPiece cuts a word into the longest token that it begins with, and the rest into
// the longest tokens that continue a word, which a prefix such as ## marks (Schuster
// and Nakajima 2012; Devlin et al. 2019). A word that cannot be cut so is unk.
type wordPiece struct {
	trie    trie  // values are ids
	inside  int32 // node of the prefix; noToken where no token has it
	unk     int32
	longest int // characters of the longest word that is cut
}

// append appends the ids of one word.
func (m *wordPiece) append(_ *encoder, dst []int32, word string) []int32 {
	begin := len(dst)
	if utf8.RuneCountInString(word) > m.longest {
		return append(dst, m.unk)
	}
	for at, node := 0, trieRoot; at < len(word); node = m.inside {
		id, end := m.longestToken(word, at, node)
		if end == at {
			return append(dst[:begin], m.unk)
		}
		dst, at = append(dst, id), end
	}
	return dst
}

// longestToken returns the longest token at word[at:] below a node, and where it ends,
// which is at if there is none.
func (m *wordPiece) longestToken(word string, at int, node int32) (id int32, end int) {
	end = at
	for i := at; i < len(word) && node != noToken; {
		if node = m.trie.next(node, word[i]); node == noToken {
			break
		}
		i++
		if v := m.trie[node].value; v != noToken {
			id, end = v, i
		}
	}
	return id, end
}
