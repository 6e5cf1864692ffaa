package decode

import (
	"fmt"
	"math"
	"slices"

	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// search is the beam search for one sentence, the rules of `transformers` (version 5): of 2·beams candidates, those among the
// first beams that end become hypotheses, the first beams that do not end go on. With one beam it is greedy search.
type search struct {
	index  int // of the source in the input
	source *nn.Sequence
	limit  int // most tokens, start counted
	length int // tokens of every running beam, start counted

	beams    []beam
	next     []beam
	history  []link
	finished []finished // best first, at most as many as beams
	banned   bool       // some of the last step's continuations had no probability
}

// beam is one running hypothesis.
type beam struct {
	target  *nn.Sequence
	token   int32 // its last
	link    int32 // of its last token in history; −1 at the start
	logProb float64
	parent  int // the beam that it continues
}

// link is one token of a hypothesis and the place of the one before it.
type link struct{ token, before int32 }

type finished struct {
	link    int32 // of the last token before the one that ends the text
	end     int32 // that token; −1 where the limit or a choice ended it
	chosen  bool  // it is one of the choices
	logProb float64
	score   float64
}

// candidate is a continuation of one beam.
type candidate struct {
	beam    int
	token   int32
	logProb float64 // of the whole hypothesis
	chosen  bool    // the hypothesis is one of the choices, which ends it
}

// reset starts the search for another sentence.
func (s *search) reset(index int, source, target *nn.Sequence, start int32, limit int) {
	s.index, s.source, s.limit, s.length = index, source, limit, 1
	s.beams = append(s.beams[:0], beam{target: target, token: start, link: -1})
	s.history, s.finished = s.history[:0], s.finished[:0]
}

// advance takes the best continuations, best first, and returns whether the search goes on; ends are the tokens that end a
// text. All cached targets of a search that ends are dropped.
func (s *search) advance(candidates []candidate, o Options, ends []int32, cache *nn.Cache) bool {
	s.next = s.next[:0]
	last := s.length+1 >= s.limit
	worst := math.Inf(-1)
	if len(s.finished) == o.Beams {
		worst = s.finished[len(s.finished)-1].score
	}
	full := o.Early == model.StopFirst && len(s.finished) == o.Beams
	s.banned = false
	for rank, c := range candidates {
		if math.IsInf(c.logProb, -1) {
			s.banned = true
			break
		}
		ended := slices.Contains(ends, c.token)
		if !ended && !c.chosen && !last {
			if len(s.next) < o.Beams {
				s.next = append(s.next, beam{token: c.token, logProb: c.logProb, parent: c.beam})
			}
			continue
		}
		if rank < o.Beams && !full {
			link, end := s.beams[c.beam].link, c.token
			if !ended {
				link, end = s.append(c.token, link), -1
			}
			score := c.logProb / math.Pow(float64(s.length), o.LengthPenalty)
			if len(s.finished) < o.Beams || score > worst {
				s.finish(finished{link, end, c.chosen, c.logProb, score}, o.Beams)
			}
		}
	}
	s.length++
	if len(s.next) == 0 || s.decided(o) {
		for _, b := range s.beams {
			cache.Drop(b.target)
		}
		s.beams = s.beams[:0]
		return false
	}
	s.inherit(cache)
	return true
}

// finish keeps the best hypotheses; of equals the earlier one.
func (s *search) finish(f finished, most int) {
	at := len(s.finished)
	for at > 0 && s.finished[at-1].score < f.score {
		at--
	}
	s.finished = slices.Insert(s.finished, at, f)
	if len(s.finished) > most {
		s.finished = s.finished[:most]
	}
}

// decided reports whether no running beam can still displace a finished hypothesis.
func (s *search) decided(o Options) bool {
	if len(s.finished) < o.Beams {
		return false
	}
	if o.Early == model.StopFirst {
		return true
	}
	length := s.length - 1
	if o.Early == model.StopNever && o.LengthPenalty > 0 {
		length = s.limit - 1
	}
	best := s.next[0].logProb / math.Pow(float64(length), o.LengthPenalty)
	return best <= s.finished[len(s.finished)-1].score
}

// inherit gives every next beam its parent's cached target: the first child of a parent takes it, others get a fork.
func (s *search) inherit(cache *nn.Cache) {
	for i := range s.next {
		b := &s.next[i]
		parent := &s.beams[b.parent]
		b.target, b.link = parent.target, s.append(b.token, parent.link)
		for j := range i {
			if s.next[j].target == parent.target {
				b.target = cache.Fork(parent.target)
				break
			}
		}
	}
	for i := range s.beams {
		if !slices.ContainsFunc(s.next, func(b beam) bool { return b.target == s.beams[i].target }) {
			cache.Drop(s.beams[i].target)
		}
	}
	s.beams, s.next = s.next, s.beams
}

// written appends to dst the tokens of a running beam, but for the start.
func (s *search) written(dst []int32, beam int) []int32 {
	from := len(dst)
	for l := s.beams[beam].link; l >= 0; l = s.history[l].before {
		dst = append(dst, s.history[l].token)
	}
	slices.Reverse(dst[from:])
	return dst
}

func (s *search) append(token, before int32) int32 {
	s.history = append(s.history, link{token, before})
	return int32(len(s.history) - 1)
}

// shortage says why the search has found fewer hypotheses than are wanted.
func (s *search) shortage(wanted int) error {
	switch {
	case len(s.finished) > 0:
		return fmt.Errorf("the search found only %d of %d answers, since all other tokens are banned; ask for fewer, or loosen what bans tokens", len(s.finished), wanted)
	case s.banned:
		return errAllBanned
	}
	return errDamaged
}

// result is what the search has found.
func (s *search) result(o Options) Result {
	if len(s.finished) == 0 {
		return Result{Err: errDamaged}
	}
	return Result{Hypotheses: s.hypotheses(o)}
}

// hypotheses returns the best outputs.
func (s *search) hypotheses(o Options) []Hypothesis {
	out := make([]Hypothesis, 0, o.NBest)
	for _, f := range s.finished[:min(o.NBest, len(s.finished))] {
		size := 0
		for l := f.link; l >= 0; l = s.history[l].before {
			size++
		}
		h := Hypothesis{IDs: make([]int32, size)}
		if o.scored() {
			h.LogProb, h.Score = f.logProb, f.score
		}
		for l := f.link; l >= 0; l = s.history[l].before {
			size--
			h.IDs[size] = s.history[l].token
		}
		out = append(out, h)
	}
	return out
}
