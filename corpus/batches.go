package corpus

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
)

// Batches puts sentence pairs, known by their lengths in tokens, into batches of a token budget: in a batch neither the
// source tokens nor the target tokens are more than the budget. Tokens are rows and nothing is padded, so sentences of
// all lengths mix, and an epoch's batches are cut as evenly as can be: to the smallest size that gives no more of them.
//
// The order of epoch e depends on the seed and e alone, so a run is resumed by Epoch(e) and the number of the next batch;
// earlier epochs need not be replayed. Nothing is allocated after the first epochs. Not for several goroutines at once.
type Batches struct {
	source, target  []int32
	budget, longest int
	seed            uint64

	skipped []int32 // indices of the pairs that are too long
	order   []int32 // the others, shuffled for the epoch
	ends    []int32 // ends[i] is where batch i ends in order
	rng     rand.PCG
}

// NewBatches makes batches of pairs with the given lengths in tokens, all that the model is fed included (the end of a
// sentence, for instance). Pairs of which one side is longer than longest, or than the budget, are left out; Skipped
// names them. longest 0 means the budget. The slices are kept, not copied: lengths that the caller changes (as BPE-dropout
// does) are taken up by the next Epoch. Epoch 0 is ready to be read.
func NewBatches(source, target []int32, budget, longest int, seed uint64) (*Batches, error) {
	if len(source) != len(target) {
		panic(fmt.Sprintf("corpus: %d source lengths and %d target lengths", len(source), len(target)))
	}
	if budget < 1 {
		return nil, fmt.Errorf("a batch of %d tokens; it must be at least 1", budget)
	}
	if longest < 1 || longest > budget {
		longest = budget
	}
	if len(source) == 0 {
		return nil, errors.New("there are no sentence pairs to make batches of")
	}
	b := &Batches{source: source, target: target, budget: budget, longest: longest, seed: seed}
	b.order = make([]int32, 0, len(source))
	b.Epoch(0)
	if len(b.order) == 0 {
		return nil, fmt.Errorf("all %d sentence pairs are longer than %d tokens", len(source), longest)
	}
	return b, nil
}

// Skipped returns the indices of the pairs that are too long for the epoch, ascending; valid until the next Epoch, not to
// be changed.
func (b *Batches) Skipped() []int32 { return b.skipped }

// Epoch shuffles and cuts the pairs for epoch e (from 0); Batch and Len then speak of that epoch.
func (b *Batches) Epoch(e int) {
	b.shuffle(e)
	b.ends = b.ends[:0]
	if len(b.order) == 0 {
		return
	}
	// The fewest batches that the budget gives in this order, then the smallest size that gives as few.
	fewest := b.cut(b.budget, false)
	low, high := 0, b.budget
	for high-low > 1 {
		if size := (low + high) / 2; b.cut(size, false) <= fewest {
			high = size
		} else {
			low = size
		}
	}
	b.cut(high, true)
}

// shuffle lists the pairs that are not too long in the order of epoch e.
func (b *Batches) shuffle(e int) {
	b.order, b.skipped = b.order[:0], b.skipped[:0]
	for i := range b.source {
		if max(int(b.source[i]), int(b.target[i])) > b.longest {
			b.skipped = append(b.skipped, int32(i))
		} else {
			b.order = append(b.order, int32(i))
		}
	}
	b.rng.Seed(b.seed, uint64(e))
	for i := len(b.order) - 1; i > 0; i-- { // Fisher–Yates
		j, _ := bits.Mul64(b.rng.Uint64(), uint64(i+1))
		b.order[i], b.order[j] = b.order[j], b.order[i]
	}
}

// cut counts the batches of at most size tokens a side, filled in order, and if keep is set notes where they end. If
// one pair alone is larger than size there is no such cut, which counts as more than any.
func (b *Batches) cut(size int, keep bool) (count int) {
	source, target := 0, 0
	for i, pair := range b.order {
		s, t := int(b.source[pair]), int(b.target[pair])
		if max(s, t) > size {
			return len(b.order) + 1
		}
		if source+s > size || target+t > size {
			if keep {
				b.ends = append(b.ends, int32(i))
			}
			count++
			source, target = 0, 0
		}
		source += s
		target += t
	}
	if keep {
		b.ends = append(b.ends, int32(len(b.order)))
	}
	return count + 1
}

// Len returns the number of batches in the epoch.
func (b *Batches) Len() int { return len(b.ends) }

// Batch returns the indices of the pairs in batch i of the epoch; valid until the next Epoch, not to be changed.
func (b *Batches) Batch(i int) []int32 {
	start := int32(0)
	if i > 0 {
		start = b.ends[i-1]
	}
	return b.order[start:b.ends[i]]
}
