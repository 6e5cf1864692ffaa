package decode

import (
	"math"

	"github.com/parley-lm/parley/internal/kernel"
)

// rules are what a model's kind asks of a search.
type rules struct {
	ends   []int32 // tokens that end a text
	banned int32   // a token that is never written, as if it had no probability; −1: none
	forced int32   // the last token at the limit, whatever the logits; −1: any
	ending int     // most continuations of a search that may end it in one step
	least  int     // tokens before which no text ends
	ready  bool    // rows are log-probabilities already, and need not add up to 1
}

// pick finds the best continuations of every search; the work on a row is a task of the pool.
type pick struct {
	logits  kernel.Mat
	first   []int // the first row of each search, and the number of rows at the end
	owner   []int // the search of each row
	running []*search
	options Options
	rules   rules

	index  []int32 // width best of each row
	value  []float32
	lse    []float32
	width  int
	sorted []candidate
	bounds []int // of each search's candidates in sorted
}

func (p *pick) run(pool *kernel.Pool, logits kernel.Mat, running []*search, o Options, r rules) {
	p.logits, p.running, p.options, p.rules = logits, running, o, r
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
		p.width = min(o.Beams+max(o.Beams, r.ending), logits.Cols) // enough for all beams to go on, whatever ends
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
	if p.rules.banned >= 0 {
		logits[p.rules.banned] = minusInf
	}
	if p.rules.forced >= 0 && s.length+1 >= s.limit { // with probability 1
		for i := range index {
			index[i], value[i] = p.rules.forced, minusInf
		}
		value[0], p.lse[row] = 0, 0
		return
	}
	p.lse[row] = 0
	if p.options.scored() && !p.rules.ready {
		p.lse[row] = kernel.LogSumExp(logits)
	}
	if s.length <= p.rules.least {
		for _, id := range p.rules.ends {
			logits[id] = minusInf
		}
	}
	if p.width == 1 {
		i, v := kernel.MaxIndex(logits)
		index[0], value[0] = int32(i), v
	} else {
		kernel.TopK(logits, index, value)
	}
}

// merge sorts the continuations of each search's rows into one list, best first, of at most width.
func (p *pick) merge() {
	p.sorted, p.bounds = p.sorted[:0], append(p.bounds[:0], 0)
	for i, s := range p.running {
		from := len(p.sorted)
		for b := range s.beams {
			row := p.first[i] + b
			for j, id := range p.index[row*p.width:][:p.width] {
				v := p.value[row*p.width+j]
				c := candidate{beam: b, token: id, logProb: s.beams[b].logProb + float64(v-p.lse[row])}
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
