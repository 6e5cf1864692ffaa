package tokenizer

import (
	"slices"
	"strings"
)

// trie finds which of a set of strings begin at a place of a text. It is a double
// array (Aoe 1989): the child of node n by byte b is cell n.base+b, if that cell's
// parent is n.
type trie []trieCell

type trieCell struct {
	base   int32
	parent int32 // noToken where the cell is free; the root has noParent
	value  int32 // of the string that ends here; noToken where none does
}

// trieRoot is the node of the empty string.
const (
	trieRoot = int32(0)
	noParent = int32(-2)
)

// next returns the child of a node by a byte, noToken if there is none.
func (t trie) next(node int32, b byte) int32 {
	child := t[node].base + int32(b)
	if int(child) < len(t) && t[child].parent == node {
		return child
	}
	return noToken
}

// walk returns the node of a string, noToken if no key begins with it.
func (t trie) walk(node int32, s string) int32 {
	for i := 0; i < len(s) && node != noToken; i++ {
		node = t.next(node, s[i])
	}
	return node
}

// trieKey is a string of a trie and what it stands for; of equal strings the last counts.
type trieKey struct {
	text  string
	value int32
}

// newTrie makes a trie of keys, whose order it changes.
func newTrie(keys []trieKey) trie {
	slices.SortStableFunc(keys, func(a, b trieKey) int { return strings.Compare(a.text, b.text) })
	b := trieBuilder{cells: make(trie, 1, 2*len(keys)+512)}
	b.cells[trieRoot] = trieCell{parent: noParent, value: noToken}
	b.firstFree = 1
	pending := []trieRange{{trieRoot, 0, keys}}
	for len(pending) > 0 { // breadth first: the depth may be the length of a hostile key
		r := pending[0]
		pending = append(pending[1:], b.expand(r)...)
	}
	return b.cells
}

// trieRange is the keys below a node, all with the same first depth bytes.
type trieRange struct {
	node  int32
	depth int
	keys  []trieKey
}

type trieBuilder struct {
	cells     trie
	firstFree int // no cell before it is free
}

// expand makes the children of a node.
func (b *trieBuilder) expand(r trieRange) []trieRange {
	for len(r.keys) > 0 && len(r.keys[0].text) == r.depth {
		b.cells[r.node].value = r.keys[0].value
		r.keys = r.keys[1:]
	}
	var labels []byte
	var children []trieRange
	for from := 0; from < len(r.keys); {
		label := r.keys[from].text[r.depth]
		to := from + 1
		for to < len(r.keys) && r.keys[to].text[r.depth] == label {
			to++
		}
		labels = append(labels, label)
		children = append(children, trieRange{depth: r.depth + 1, keys: r.keys[from:to]})
		from = to
	}
	if len(labels) == 0 {
		return nil
	}
	base := b.place(labels)
	b.cells[r.node].base = base
	for i, label := range labels {
		children[i].node = base + int32(label)
		b.cells[children[i].node] = trieCell{parent: r.node, value: noToken}
	}
	return children
}

// placeTries bounds the search for a place among the cells that earlier nodes left free.
const placeTries = 256

// place returns a base at which the cells of all labels are free.
func (b *trieBuilder) place(labels []byte) int32 {
	for b.firstFree < len(b.cells) && b.cells[b.firstFree].parent != noToken {
		b.firstFree++
	}
	at := max(b.firstFree, int(labels[0])+1)
	for try := 0; try < placeTries && at < len(b.cells); at++ {
		if b.cells[at].parent != noToken {
			continue
		}
		try++
		if base := at - int(labels[0]); b.fits(base, labels) {
			b.grow(base + 256)
			return int32(base)
		}
	}
	b.firstFree = max(b.firstFree, at-4*placeTries) // what is left behind is full enough
	base := max(len(b.cells)-int(labels[0]), 1)
	b.grow(base + 256)
	return int32(base)
}

func (b *trieBuilder) fits(base int, labels []byte) bool {
	for _, label := range labels {
		if at := base + int(label); at < len(b.cells) && b.cells[at].parent != noToken {
			return false
		}
	}
	return true
}

func (b *trieBuilder) grow(size int) {
	for len(b.cells) < size {
		b.cells = append(b.cells, trieCell{parent: noToken, value: noToken})
	}
}
