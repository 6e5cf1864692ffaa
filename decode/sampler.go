package decode

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/parley-lm/parley/internal/kernel"
)

// sampler chooses a token from a row of logits. It is the memory that this takes, for one thread; nothing in it outlives
// a choice.
type sampler struct {
	scores []float32 // [V], the row as the processors change it
	count  []int32   // [V], how often a token occurred; zeros between choices
	all    []scored  // room for kept
	kept   []scored  // what may be drawn
	index  []int32   // of the best alternatives
	value  []float32
}

// scored is a token that may be drawn.
type scored struct {
	id    int32
	score float32
}

// circumstances are what a choice depends on beside the logits and the settings.
type circumstances struct {
	history []int32 // the prompt, and what was written after it
	prompt  int     // tokens of the prompt
	ends    []int32 // tokens that end the text
	allowed []int32 // the only tokens that may be chosen; nil: all
}

var (
	errDamaged   = errors.New("the model's logits are not numbers; its weights are damaged")
	errAllBanned = errors.New("every token is banned here; loosen what bans tokens: bias, bad words, no-repeat n-gram, minimum length")
)

// choose returns the next token; u in [0, 1) is the random number that decides. The logits stay as they are.
func (s *sampler) choose(p *Sampling, logits []float32, c circumstances, u float64) (int32, error) {
	if p.plain() && c.allowed == nil {
		i, v := kernel.MaxIndex(logits)
		return int32(i), number(v)
	}
	s.process(p, logits, c)
	if p.Temperature == 0 {
		i, v := kernel.MaxIndex(s.scores)
		return int32(i), number(v)
	}
	s.warp(p)
	if len(s.kept) == 0 {
		return 0, errAllBanned
	}
	if _, v := s.best(); v != v || math.IsInf(float64(v), 1) {
		return 0, errDamaged
	}
	return s.draw(u), nil
}

// number is the error that a greatest logit v stands for.
func number(v float32) error {
	switch {
	case math.IsInf(float64(v), -1):
		return errAllBanned
	case v != v || math.IsInf(float64(v), 1):
		return errDamaged
	}
	return nil
}

var minusInf = float32(math.Inf(-1))

// process fills scores with the logits after everything that comes before temperature.
func (s *sampler) process(p *Sampling, logits []float32, c circumstances) {
	s.scores = append(s.scores[:0], logits...)
	s.count = grow(s.count, len(logits))
	for _, b := range p.Bias {
		if follows(b.Tokens, c.history) {
			s.scores[b.Tokens[len(b.Tokens)-1]] += float32(b.Add)
		}
	}
	s.penalize(p, c.history)
	s.banRepeated(p.NoRepeatNGram, c.history)
	for _, w := range p.BadWords {
		if follows(w, c.history) && !(len(w) == 1 && slices.Contains(c.ends, w[0])) {
			s.scores[w[len(w)-1]] = minusInf
		}
	}
	if len(c.history) < p.MinLength || len(c.history)-c.prompt < p.MinTokens {
		s.ban(c.ends)
	}
	s.ban(p.Suppress)
	if c.allowed != nil {
		s.restrict(c.allowed)
	}
}

// follows reports whether all but the last token of a sequence end the history. As in transformers, a sequence of several
// tokens is not looked for in a history that is shorter than itself.
func follows(sequence, history []int32) bool {
	n := len(sequence) - 1
	return n == 0 || n < len(history) && slices.Equal(sequence[:n], history[len(history)-n:])
}

// penalize applies the penalties for tokens that occurred.
func (s *sampler) penalize(p *Sampling, history []int32) {
	if p.RepetitionPenalty == 1 && p.PresencePenalty == 0 && p.FrequencyPenalty == 0 {
		return
	}
	for _, id := range history {
		s.count[id]++
	}
	repetition := float32(p.RepetitionPenalty)
	for _, id := range history {
		n := s.count[id]
		if n == 0 { // seen to already
			continue
		}
		s.count[id] = 0
		if x := s.scores[id]; x < 0 {
			s.scores[id] = x * repetition
		} else {
			s.scores[id] = x / repetition
		}
		s.scores[id] -= float32(p.PresencePenalty + p.FrequencyPenalty*float64(n))
	}
}

// banRepeated bans what would repeat n tokens.
func (s *sampler) banRepeated(n int, history []int32) {
	if n == 0 || len(history) < n {
		return
	}
	last := history[len(history)-n+1:]
	for i := 0; i+n <= len(history); i++ {
		if slices.Equal(history[i:i+n-1], last) {
			s.scores[history[i+n-1]] = minusInf
		}
	}
}

func (s *sampler) ban(ids []int32) {
	for _, id := range ids {
		s.scores[id] = minusInf
	}
}

// restrict bans all tokens but the allowed ones.
func (s *sampler) restrict(allowed []int32) {
	for _, id := range allowed {
		s.count[id] = 1
	}
	for id := range s.scores {
		if s.count[id] == 0 {
			s.scores[id] = minusInf
		}
	}
	for _, id := range allowed {
		s.count[id] = 0
	}
}

// warp fills kept from scores: temperature and everything after it.
func (s *sampler) warp(p *Sampling) {
	if t := float32(p.Temperature); t != 1 {
		for i := range s.scores {
			s.scores[i] /= t
		}
	}
	s.keep(s.threshold(p.TopK))
	if p.TopP < 1 {
		s.nucleus(p.TopP)
	}
	if p.MinP > 0 {
		s.aboveShareOfBest(p.MinP)
	}
	if p.TypicalP < 1 {
		s.typical(p.TypicalP)
	}
	if p.EpsilonCutoff > 0 {
		s.aboveProbability(p.EpsilonCutoff)
	}
	if p.EtaCutoff > 0 {
		s.aboveProbability(min(p.EtaCutoff, math.Sqrt(p.EtaCutoff)*math.Exp(-s.entropy())))
	}
}

// threshold is the score of the k-th best token, −∞ where all are kept.
func (s *sampler) threshold(k int) float32 {
	if k == 0 || k >= len(s.scores) {
		return minusInf
	}
	s.index, s.value = grow(s.index, k), grow(s.value, k)
	kernel.TopK(s.scores, s.index, s.value)
	return s.value[k-1]
}

// keep starts kept with the tokens that score at least so much. NaN is kept, to be noticed.
func (s *sampler) keep(least float32) {
	s.all = s.all[:0]
	for id, v := range s.scores {
		if !(v < least) && v != minusInf {
			s.all = append(s.all, scored{int32(id), v})
		}
	}
	s.kept = s.all
}

// nucleus keeps the fewest most probable tokens whose probabilities reach p, most probable first (Holtzman et al. 2019).
func (s *sampler) nucleus(p float64) {
	n := len(s.kept)
	for i := n/2 - 1; i >= 0; i-- {
		sink(s.kept, i)
	}
	enough, above := p*s.mass(), 0.0
	_, best := s.best()
	for n > 0 && (n == len(s.kept) || above < enough) { // the best one left moves behind the heap
		n--
		s.kept[0], s.kept[n] = s.kept[n], s.kept[0]
		above += weight(s.kept[n].score, best)
		sink(s.kept[:n], 0)
	}
	s.kept = s.kept[n:]
	slices.Reverse(s.kept)
}

// sink restores a heap with the best token at its root, of equals the one with the smaller id, where only the i-th may be
// out of place.
func sink(heap []scored, i int) {
	for {
		child := 2*i + 1
		if child >= len(heap) {
			return
		}
		if child+1 < len(heap) && better(heap[child+1], heap[child]) {
			child++
		}
		if !better(heap[child], heap[i]) {
			return
		}
		heap[i], heap[child] = heap[child], heap[i]
		i = child
	}
}

func better(a, b scored) bool { return a.score > b.score || a.score == b.score && a.id < b.id }

// aboveShareOfBest keeps tokens that are at least p times as probable as the best (Nguyen et al. 2024).
func (s *sampler) aboveShareOfBest(p float64) {
	_, best := s.best()
	s.filter(func(t scored) bool { return weight(t.score, best) >= p })
}

// aboveProbability keeps tokens of at least this probability, and the best (Hewitt et al. 2022).
func (s *sampler) aboveProbability(p float64) {
	_, best := s.best()
	mass := s.mass()
	s.filter(func(t scored) bool { return weight(t.score, best)/mass >= p || t.score == best })
}

// typical keeps the tokens whose surprise is nearest to the entropy, until their probabilities reach p, and those that are
// as near as the last of them (Meister et al. 2022).
func (s *sampler) typical(p float64) {
	if len(s.kept) == 0 {
		return
	}
	_, best := s.best()
	mass := s.mass()
	expected := float64(best) + math.Log(mass) - s.entropy() // the score whose surprise is the entropy
	distance := func(t scored) float64 { return math.Abs(expected - float64(t.score)) }
	slices.SortFunc(s.kept, func(a, b scored) int {
		return cmp.Or(cmp.Compare(distance(a), distance(b)), cmp.Compare(a.id, b.id))
	})
	last, sum := 0, 0.0
	for i, t := range s.kept {
		last = i
		if sum += weight(t.score, best) / mass; sum >= p {
			break
		}
	}
	farthest := distance(s.kept[last])
	s.filter(func(t scored) bool { return distance(t) <= farthest })
}

// filter keeps some of the tokens, in their order.
func (s *sampler) filter(stays func(t scored) bool) {
	n := 0
	for _, t := range s.kept {
		if stays(t) {
			s.kept[n] = t
			n++
		}
	}
	s.kept = s.kept[:n]
}

// best returns where the first token of the greatest score is; NaN is greater than all.
func (s *sampler) best() (at int, score float32) {
	score = minusInf
	for i, t := range s.kept {
		if t.score > score || t.score != t.score {
			at, score = i, t.score
		}
	}
	return at, score
}

// weight is a token's probability as a share of the best one's.
func weight(score, best float32) float64 { return math.Exp(float64(score) - float64(best)) }

// mass is the sum of all weights.
func (s *sampler) mass() float64 {
	_, best := s.best()
	sum := 0.0
	for _, t := range s.kept {
		sum += weight(t.score, best)
	}
	return sum
}

// entropy of what is kept, in nats.
func (s *sampler) entropy() float64 {
	_, best := s.best()
	mass, sum := s.mass(), 0.0
	for _, t := range s.kept {
		if w := weight(t.score, best); w > 0 {
			sum += w * (float64(t.score) - float64(best))
		}
	}
	return math.Log(mass) - sum/mass
}

// draw returns the token at which the running sum of probabilities exceeds u.
func (s *sampler) draw(u float64) int32 {
	at, best := s.best()
	left := u * s.mass()
	for _, t := range s.kept {
		if left -= weight(t.score, best); left < 0 {
			return t.id
		}
	}
	return s.kept[at].id // rounding left a little over
}
