package eval

// ngrams counts the n-grams of one sentence's references, up to a given length,
// and matches a hypothesis with them. N-grams are the nodes of a trie, numbered
// in the order of their appearance; node 0 is the empty one. It is reused from
// sentence to sentence and belongs to one goroutine.
type ngrams[T comparable] struct {
	order    int
	symbols  map[T]uint32      // tokens or characters of the references
	children map[uint64]uint32 // node<<32 | symbol to the longer n-gram's node
	most     []int32           // per node: the most often it occurs in one reference
	count    []int32           // per node: how often in the sentence just being read
	ids      []uint32          // of the sentence just being read
}

func newNGrams[T comparable](order int) *ngrams[T] {
	return &ngrams[T]{order: order, symbols: map[T]uint32{}, children: map[uint64]uint32{}}
}

// reset forgets the references. Emptying a map takes time in proportion to the
// largest it has been, so one very long sentence's maps are not kept.
func (g *ngrams[T]) reset() {
	if len(g.children) > 1<<14 {
		g.symbols, g.children = map[T]uint32{}, map[uint64]uint32{}
	}
	clear(g.symbols)
	clear(g.children)
	g.most = append(g.most[:0], 0)
	g.count = append(g.count[:0], 0)
}

// addReference counts the n-grams of one more reference.
func (g *ngrams[T]) addReference(ref []T) {
	g.ids = g.ids[:0]
	for _, t := range ref {
		id, ok := g.symbols[t]
		if !ok {
			id = uint32(len(g.symbols))
			g.symbols[t] = id
		}
		g.ids = append(g.ids, id)
	}
	clear(g.count)
	for start := range g.ids {
		node := uint32(0)
		for _, id := range g.ids[start:min(start+g.order, len(g.ids))] {
			node = g.child(node, id)
			g.count[node]++
			g.most[node] = max(g.most[node], g.count[node])
		}
	}
}

// child returns the node of an n-gram one symbol longer, new if need be.
func (g *ngrams[T]) child(node, symbol uint32) uint32 {
	key := uint64(node)<<32 | uint64(symbol)
	next, ok := g.children[key]
	if !ok {
		next = uint32(len(g.most))
		g.children[key] = next
		g.most = append(g.most, 0)
		g.count = append(g.count, 0)
	}
	return next
}

// unknown is a symbol that no reference has: n-grams with it match nothing.
const unknown = ^uint32(0)

// match adds to matches[n-1] the n-grams of hyp that the references have, each
// counted at most as often as the reference that has it most.
func (g *ngrams[T]) match(hyp []T, matches []float64) {
	g.ids = g.ids[:0]
	for _, t := range hyp {
		id, ok := g.symbols[t]
		if !ok {
			id = unknown
		}
		g.ids = append(g.ids, id)
	}
	clear(g.count)
	for start := range g.ids {
		node := uint32(0)
		for n, id := range g.ids[start:min(start+g.order, len(g.ids))] {
			next, ok := g.children[uint64(node)<<32|uint64(id)]
			if !ok {
				break
			}
			node = next
			g.count[node]++
			if g.count[node] <= g.most[node] {
				matches[n]++
			}
		}
	}
}
