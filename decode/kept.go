package decode

import "github.com/parley-lm/parley/nn"

// kept is a text that stays in the cache: the tokens whose keys and values the sequence holds.
type kept struct {
	ids      []int32
	sequence *nn.Sequence
}

// leastReuse is how many tokens must be common for a text in the cache to be of use.
const leastReuse = 8

// beginning returns a sequence that holds as much of a prompt as is in the cache, but not its last token, whose logits are
// wanted.
func (g *Generator) beginning(prompt []int32) *nn.Sequence {
	best, most := -1, leastReuse-1
	for i, k := range g.kept {
		if n := common(k.ids, prompt[:len(prompt)-1]); n > most {
			best, most = i, n
		}
	}
	if best < 0 {
		return g.cache.Sequences.New()
	}
	k := g.kept[best]
	copy(g.kept[best:], g.kept[best+1:])
	g.kept[len(g.kept)-1] = k
	return g.cache.Sequences.ForkFirst(k.sequence, most)
}

// common returns how many tokens two texts have in common at their beginning.
func common(a, b []int32) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// end gives up the sequence of an answer that has ended, or keeps it in the place of what was not used for longest and of
// what it begins with.
func (g *Generator) end(r *Request, a *answer) {
	s := a.sequence
	a.sequence = nil
	if !r.Keep {
		g.cache.Sequences.Drop(s)
		return
	}
	ids := a.ids[:s.Len()]
	var memory []int32
	still := g.kept[:0]
	for i, k := range g.kept {
		full := i == 0 && len(g.kept) == g.options.Kept
		if full || common(k.ids, ids) == len(k.ids) {
			g.cache.Sequences.Drop(k.sequence)
			memory = k.ids
			continue
		}
		still = append(still, k)
	}
	g.kept = append(still, kept{append(memory[:0], ids...), s})
}
