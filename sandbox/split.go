package sandbox

import (
	"hash/fnv"
	"iter"
)

// heldOutShare is one in how many combinations of words is held out of training by Split.
const heldOutShare = 14

// Split draws the sets of an experiment. No English sentence is in two of them, or twice in one. test holds sentences
// like those of train and valid, but never seen there. Each sentence of testCombos has at least one combination that
// is in no sentence of the other sets, although each word of it is: an adjective with a noun ("vert" with "porte"), a
// verb with its object, or two pieces of a built word ("Wolf" with "bridge").
func Split(seed uint64, trainN, validN, testN int) (train, valid, test, testCombos []Pair) {
	w := NewWorld(seed)
	seen := make(map[string]bool, trainN+validN+2*testN)
	// Sentences are dealt in a fixed rotation, in proportion to the sizes, so that the sets are alike.
	total := trainN + validN + testN
	for dealt := 0; dealt < total || len(testCombos) < testN; {
		p := w.Next().Pair()
		if seen[p.English] {
			continue
		}
		if p.heldOut() {
			if len(testCombos) < testN {
				seen[p.English] = true
				testCombos = append(testCombos, p)
			}
			continue
		}
		if dealt == total {
			continue
		}
		seen[p.English] = true
		switch {
		case (dealt+1)*testN/total > len(test):
			test = append(test, p)
		case (dealt+1)*(testN+validN)/total > len(test)+len(valid):
			valid = append(valid, p)
		default:
			train = append(train, p)
		}
		dealt++
	}
	return train, valid, test, testCombos
}

// Translations draws pairs of a part without end: those of Unseen have a combination of words that no pair of the other
// parts has. A sentence may be drawn twice, and one of Train may also be one of Validation; [Split] excludes both.
func Translations(seed uint64, part Part) iter.Seq[Pair] {
	return func(yield func(Pair) bool) {
		for p := range NewWorld(part.mix(seed)).All() {
			if p.heldOut() == (part == Unseen) && !yield(p) {
				return
			}
		}
	}
}

// heldOut reports whether the pair has a combination that training must not see. It does not depend on the seed.
func (p *Pair) heldOut() bool {
	for _, c := range p.combinations {
		h := fnv.New32a()
		h.Write([]byte(c))
		if h.Sum32()>>8%heldOutShare == 0 {
			return true
		}
	}
	return false
}
