package nn

import (
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/internal/memory"
)

// Cache holds the keys and values of many sequences, for every layer, in pages of [kernel.PageRows] positions. Pages are
// counted, so that sequences with a common beginning share it (Kwon et al. 2023): a fork copies nothing until one of the
// two writes, and then at most one page. A Cache serves one goroutine.
type Cache struct {
	shape  kernel.AttnShape
	layers [][]float32 // each holds all pages of one layer
	refs   []int32     // how many sequences use a page
	free   []int32     // pages that nobody uses
	spare  []*Sequence
	page   int // floats in a page of one layer
}

// Sequence is the cached part of one sequence: its pages, and how many positions they hold.
type Sequence struct {
	pages []int32
	len   int // positions with room made for them
}

// Len returns the number of positions.
func (s *Sequence) Len() int { return s.len }

// NewCache makes an empty cache for layers attentions of the given shape.
func NewCache(layers int, shape kernel.AttnShape) *Cache {
	return &Cache{shape: shape, layers: make([][]float32, layers), page: kernel.PageFloats(shape)}
}

// New returns an empty sequence.
func (c *Cache) New() *Sequence {
	if n := len(c.spare); n > 0 {
		s := c.spare[n-1]
		c.spare = c.spare[:n-1]
		return s
	}
	return new(Sequence)
}

// Fork returns a second sequence with the same content as s.
func (c *Cache) Fork(s *Sequence) *Sequence { return c.ForkFirst(s, s.len) }

// ForkFirst returns a sequence with the first n positions of s.
func (c *Cache) ForkFirst(s *Sequence, n int) *Sequence {
	f := c.New()
	f.pages = append(f.pages[:0], s.pages[:(n+kernel.PageRows-1)/kernel.PageRows]...)
	f.len = n
	for _, p := range f.pages {
		c.refs[p]++
	}
	return f
}

// Drop gives up s.
func (c *Cache) Drop(s *Sequence) {
	for _, p := range s.pages {
		if c.refs[p]--; c.refs[p] == 0 {
			c.free = append(c.free, p)
		}
	}
	s.pages, s.len = s.pages[:0], 0
	c.spare = append(c.spare, s)
}

// Extend makes room for n more positions of s, which the next pass stores.
func (c *Cache) Extend(s *Sequence, n int) {
	if last := len(s.pages) - 1; n > 0 && last >= 0 && s.len < len(s.pages)*kernel.PageRows && c.refs[s.pages[last]] > 1 {
		s.pages[last] = c.copyPage(s.pages[last])
	}
	s.len += n
	for len(s.pages)*kernel.PageRows < s.len {
		s.pages = append(s.pages, c.newPage())
	}
}

// Look appends to dst the span of a row that looks at all of s.
func (c *Cache) Look(dst []kernel.PagedSpan, row int, s *Sequence) []kernel.PagedSpan {
	return c.LookRows(dst, row, 1, s)
}

// LookRows appends to dst the span of n rows, from the given one on, that look at s: in a causal attention they are its last
// n positions, else each looks at all of it.
func (c *Cache) LookRows(dst []kernel.PagedSpan, row, n int, s *Sequence) []kernel.PagedSpan {
	return append(dst, kernel.PagedSpan{Q0: int32(row), Q1: int32(row + n), Len: int32(s.len), Pages: s.pages})
}

// newPage returns a page with one user.
func (c *Cache) newPage() int32 {
	if n := len(c.free); n > 0 {
		p := c.free[n-1]
		c.free = c.free[:n-1]
		c.refs[p] = 1
		return p
	}
	p := int32(len(c.refs))
	c.refs = append(c.refs, 1)
	need := len(c.refs) * c.page
	for i, l := range c.layers {
		if need > cap(l) {
			l = append(memory.Floats(2 * need)[:0], l...)
		}
		c.layers[i] = l[:need]
	}
	return p
}

// copyPage returns a copy of a shared page and gives up one use of the original.
func (c *Cache) copyPage(from int32) int32 {
	p := c.newPage()
	for _, l := range c.layers {
		copy(l[int(p)*c.page:][:c.page], l[int(from)*c.page:][:c.page])
	}
	c.refs[from]--
	return p
}

// store writes one layer's keys and values, kv [N, 2·KVHeads·HeadDim]. Row i belongs to seqs[i]; the rows of one
// sequence stand together, and are its last positions.
func (c *Cache) store(layer int, seqs []*Sequence, kv kernel.Mat) {
	width := c.shape.KVHeads * c.shape.HeadDim
	for i := 0; i < len(seqs); {
		s, n := seqs[i], 1
		for i+n < len(seqs) && seqs[i+n] == s {
			n++
		}
		for j := range n {
			pos := s.len - n + j
			page := c.layers[layer][int(s.pages[pos/kernel.PageRows])*c.page:][:c.page]
			row := kv.Row(i + j)
			kernel.StoreKV(page, pos%kernel.PageRows, row[:width], row[width:2*width], c.shape)
		}
		i += n
	}
}
