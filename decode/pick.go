package decode

import (
	"math"

	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// pick finds the best continuations of every search; the work on a row is a task of the pool.
type pick struct {
	logits  kernel.Mat
	first   []int // the first row of each search, and the number of rows at the end
	owner   []int // the search of each row
	running []*search
	options Options
	config  model.EncDecConfig

	index  []int32 // width best of each row
	value  []float32
	lse    []float32
	width  int
	sorted []candidate
	bounds []int // of each search's candidates in sorted
}

func (p *pick) run(pool *kernel.Pool, logits kernel.Mat, running []*search, o Options, c model.EncDecConfig) {
	p.logits, p.running, p.options, p.config = logits, running, o, c
	p.first, p.owner = p.first[:0], p.owner[:0]
	for i, s := range running {
		p.first = append(p.first, len(p.owner))
		for range s.beams {
			p.owner = append(p.owner, i)
		}
	}
	p.first = append(p.first, len(p.owner))
	p.width = 1
	if o.Beams > 1 {
		p.width = min(2*o.Beams, logits.Cols)
	}
	p.index = grow(p.index, len(p.owner)*p.width)
	p.value = grow(p.value, len(p.owner)*p.width)
	p.lse = grow(p.lse, len(p.owner))
	pool.Run(len(p.owner), p)
	p.merge()
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// Do finds the best continuations of one row.
func (p *pick) Do(_, row int) {
	logits := p.logits.Row(row)
	s := p.running[p.owner[row]]
	index, value := p.index[row*p.width:][:p.width], p.value[row*p.width:][:p.width]
	logits[p.config.PadID] = float32(math.Inf(-1))
	if s.length+1 >= s.limit { // EOS is forced, with probability 1
		for i := range index {
			index[i], value[i] = p.config.ForcedEOSID, float32(math.Inf(-1))
		}
		value[0], p.lse[row] = 0, 0
		return
	}
	if p.width == 1 {
		i, v := kernel.MaxIndex(logits)
		index[0], value[0] = int32(i), v
	} else {
		kernel.TopK(logits, index, value)
	}
	p.lse[row] = 0
	if p.options.scored() {
		p.lse[row] = kernel.LogSumExp(logits)
	}
}

// merge sorts the continuations of each search's rows into one list, best first, of at most 2·beams.
func (p *pick) merge() {
	p.sorted, p.bounds = p.sorted[:0], append(p.bounds[:0], 0)
	for i, s := range p.running {
		from := len(p.sorted)
		for b := range s.beams {
			row := p.first[i] + b
			for j, id := range p.index[row*p.width:][:p.width] {
				v := p.value[row*p.width+j]
				c := candidate{b, id, s.beams[b].logProb + float64(v-p.lse[row])}
				if math.IsNaN(c.logProb) {
					continue
				}
				p.insert(from, c)
			}
		}
		p.bounds = append(p.bounds, len(p.sorted))
	}
}

// insert puts c in its place among the candidates from from on, if it is good enough; of equals the earlier stays first.
func (p *pick) insert(from int, c candidate) {
	at := len(p.sorted)
	for at > from && p.sorted[at-1].logProb < c.logProb {
		at--
	}
	if at-from >= p.width {
		return
	}
	if len(p.sorted)-from < p.width {
		p.sorted = append(p.sorted, candidate{})
	}
	copy(p.sorted[at+1:], p.sorted[at:])
	p.sorted[at] = c
}

// of returns the candidates of a search, best first.
func (p *pick) of(i int) []candidate { return p.sorted[p.bounds[i]:p.bounds[i+1]] }
