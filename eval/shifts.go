package eval

// The limits of tercom's search, and of sacrebleu's version of it.
const (
	maxShiftSize       = 10   // words shifted at once
	maxShiftDistance   = 50   // between the places of equal words
	maxShiftCandidates = 1000 // tried for one sentence
)

// editor counts the edits of TER for one pair of sentences after another. It is
// working memory and belongs to one goroutine.
type editor struct {
	ids      map[string]int32
	hyp, ref []int32
	table    editTable

	// The alignment of hyp and ref by the best edits without shifts.
	align          []int32 // per word of ref: the word of hyp at it or last before it, or -1
	hypErr, refErr []bool  // the word takes part in an edit

	shifted, best []int32
}

// count returns the edits that turn hyp into ref: shifts, chosen greedily as
// long as one lowers the edit distance, plus the edit distance then.
func (e *editor) count(hyp, ref []string) int {
	if len(ref) == 0 {
		return len(hyp)
	}
	e.number(hyp, ref)
	e.table.reset(len(e.hyp), e.ref)
	e.table.fill(e.hyp)
	shifts := 0
	for tried := 0; tried < maxShiftCandidates; shifts++ {
		var gain int
		gain, tried = e.shift(tried)
		if tried >= maxShiftCandidates || gain <= 0 {
			break
		}
		copy(e.hyp, e.best)
		e.table.fill(e.hyp)
	}
	return shifts + e.table.distance()
}

// number replaces words by numbers, equal ones for equal words.
func (e *editor) number(hyp, ref []string) {
	e.ids = make(map[string]int32, len(ref)+len(hyp))
	read := func(ids []int32, words []string) []int32 {
		ids = ids[:0]
		for _, w := range words {
			id, ok := e.ids[w]
			if !ok {
				id = int32(len(e.ids))
				e.ids[w] = id
			}
			ids = append(ids, id)
		}
		return ids
	}
	e.ref = read(e.ref, ref)
	e.hyp = read(e.hyp, hyp)
}

// candidate ranks a shift: the larger gain first, then the longer, then the one
// from further left, then the one to further left.
type candidate struct{ gain, length, start, target int }

func (c candidate) betterThan(d candidate) bool {
	switch {
	case c.gain != d.gain:
		return c.gain > d.gain
	case c.length != d.length:
		return c.length > d.length
	case c.start != d.start:
		return c.start < d.start
	}
	return c.target < d.target
}

// shift looks for the one shift of words of hyp that lowers the edit distance
// most, and leaves the words shifted so in e.best. It returns by how much (0 if
// there is no shift to try), and how many shifts have been tried including the
// given number.
func (e *editor) shift(tried int) (gain, triedNow int) {
	e.alignWords()
	before := e.table.distance()
	var best candidate
	found := false
	e.equalRuns(func(start, refStart, length int) (more bool) {
		if !e.worthShifting(start, refStart, length) {
			return true
		}
		previous := -1
		for offset := -1; offset < length; offset++ {
			// Before the reference's first word, or behind the word of the
			// hypothesis that is aligned to a word of the run or to the word before it.
			target := 0
			if at := refStart + offset; at >= 0 {
				if at >= len(e.align) {
					break
				}
				target = int(e.align[at]) + 1
			}
			if target == previous {
				continue
			}
			previous = target
			first, last := e.performShift(start, length, target)
			c := candidate{before - e.table.distanceOf(e.shifted, first, last), length, start, target}
			tried++
			if !found || c.betterThan(best) {
				found, best = true, c
				e.best = append(e.best[:0], e.shifted...)
			}
		}
		return tried < maxShiftCandidates
	})
	return best.gain, tried
}

// worthShifting tells whether a run of equal words may be shifted: there must
// be an error in it and at the place it would go to, and that place must lie
// outside it.
func (e *editor) worthShifting(start, refStart, length int) bool {
	if !anyTrue(e.hypErr[start:start+length]) || !anyTrue(e.refErr[refStart:refStart+length]) {
		return false
	}
	at := int(e.align[refStart])
	return at < start || at >= start+length
}

func anyTrue(flags []bool) bool {
	for _, f := range flags {
		if f {
			return true
		}
	}
	return false
}

// equalRuns calls yield for every run of words that occurs in both sentences,
// every beginning of a longer run included, until it returns false.
func (e *editor) equalRuns(yield func(start, refStart, length int) (more bool)) {
	for start := range e.hyp {
		last := min(len(e.ref)-1, start+maxShiftDistance)
		for refStart := max(0, start-maxShiftDistance); refStart <= last; refStart++ {
			longest := min(maxShiftSize, len(e.hyp)-start, len(e.ref)-refStart)
			for k := 0; k < longest && e.hyp[start+k] == e.ref[refStart+k]; k++ {
				if !yield(start, refStart, k+1) {
					return
				}
			}
		}
	}
}

// performShift puts into e.shifted the words of hyp with length words from
// start moved to before target; a target inside the run or at its end moves them
// right by as many words. It returns the range that is not as before.
func (e *editor) performShift(start, length, target int) (first, last int) {
	words, end := e.hyp, start+length
	run := words[start:end]
	s := e.shifted[:0]
	if target < start {
		s = append(append(append(append(s, words[:target]...), run...), words[target:start]...), words[end:]...)
		e.shifted = s
		return target, end
	}
	if target <= end {
		target = min(length+target, len(words))
	}
	e.shifted = append(append(append(append(s, words[:start]...), words[end:target]...), run...), words[target:]...)
	return start, target
}

// alignWords reads the alignment off the table's best path.
func (e *editor) alignWords() {
	e.align, e.hypErr, e.refErr = e.align[:0], e.hypErr[:0], e.refErr[:0]
	at := int32(-1)
	for _, op := range e.table.path() {
		wrong := op != opMatch
		if op != opInsert {
			at++
			e.hypErr = append(e.hypErr, wrong)
		}
		if op != opDelete {
			e.align = append(e.align, at)
			e.refErr = append(e.refErr, wrong)
		}
	}
}
