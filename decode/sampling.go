package decode

import (
	"fmt"
	"math"

	"github.com/parley-lm/parley/internal/kernel"
)

// Sampling says how the next token is chosen from a row of logits, in the words and by the rules of transformers' generate().
// The fields stand in the order in which they are applied. Start from [DefaultSampling]: the zero value of some fields is a
// setting of its own.
type Sampling struct {
	Bias              []Bias  // added to logits
	RepetitionPenalty float64 // positive logits of tokens that occurred, prompt included, are divided by it, others multiplied; 1: off
	PresencePenalty   float64 // taken from the logit of every token that occurred, prompt included
	FrequencyPenalty  float64 // likewise, times how often it occurred
	NoRepeatNGram     int     // no sequence of so many tokens occurs twice; 0: off
	BadWords          [][]int32
	MinLength         int // no end before so many tokens, prompt included
	MinTokens         int // no end before so many tokens, prompt not included
	Suppress          []int32

	Temperature   float64 // logits are divided by it; 0: the most probable token is chosen, and nothing below counts
	TopK          int     // the k most probable tokens, and those as probable as the last of them; 0: off
	TopP          float64 // the fewest most probable tokens whose probabilities reach it; at least one; 1: off
	MinP          float64 // tokens with so large a share of the largest probability; 0: off
	TypicalP      float64 // the tokens nearest to the expected surprise whose probabilities reach it; 1: off
	EpsilonCutoff float64 // tokens of at least this probability; 0: off
	EtaCutoff     float64 // the same, lowered where entropy is high; 0: off

	// Seed starts the random numbers. Those of a token are a function of the seed, the number of the answer, and the number
	// of the token in it.
	Seed uint64
}

// Bias is added to the logit of the last token of a sequence where the others stand before it.
type Bias struct {
	Tokens []int32
	Add    float64
}

// DefaultSampling draws from the model's own distribution.
func DefaultSampling() Sampling {
	return Sampling{RepetitionPenalty: 1, Temperature: 1, TopP: 1, TypicalP: 1}
}

// Check reports the first setting that cannot be used with a vocabulary of the given size.
func (s *Sampling) Check(vocabulary int) error {
	finite := func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
	share := func(x float64) bool { return x >= 0 && x <= 1 }
	for _, f := range []struct {
		name string
		ok   bool
		got  any
		want string
	}{
		{"temperature", finite(s.Temperature) && s.Temperature >= 0, s.Temperature, "a finite number of at least 0"},
		{"top-k", s.TopK >= 0, s.TopK, "at least 0"},
		{"top-p", share(s.TopP), s.TopP, "from 0 to 1"},
		{"min-p", share(s.MinP), s.MinP, "from 0 to 1"},
		{"typical-p", share(s.TypicalP) && s.TypicalP > 0, s.TypicalP, "above 0 and at most 1"},
		{"epsilon cutoff", share(s.EpsilonCutoff) && s.EpsilonCutoff < 1, s.EpsilonCutoff, "at least 0 and below 1"},
		{"eta cutoff", share(s.EtaCutoff) && s.EtaCutoff < 1, s.EtaCutoff, "at least 0 and below 1"},
		{"repetition penalty", finite(s.RepetitionPenalty) && s.RepetitionPenalty > 0, s.RepetitionPenalty, "a finite number above 0"},
		{"presence penalty", finite(s.PresencePenalty), s.PresencePenalty, "a finite number"},
		{"frequency penalty", finite(s.FrequencyPenalty), s.FrequencyPenalty, "a finite number"},
		{"no-repeat n-gram size", s.NoRepeatNGram >= 0, s.NoRepeatNGram, "at least 0"},
		{"minimum length", s.MinLength >= 0, s.MinLength, "at least 0"},
		{"minimum number of tokens", s.MinTokens >= 0, s.MinTokens, "at least 0"},
	} {
		if !f.ok {
			return fmt.Errorf("the %s is %v; it must be %s", f.name, f.got, f.want)
		}
	}
	for _, b := range s.Bias {
		if math.IsNaN(b.Add) || math.IsInf(b.Add, 1) {
			return fmt.Errorf("the bias of tokens %v is %v; it must be a number or -Inf", b.Tokens, b.Add)
		}
		if err := checkTokens("a biased sequence", b.Tokens, vocabulary); err != nil {
			return err
		}
	}
	for _, w := range s.BadWords {
		if err := checkTokens("a bad word", w, vocabulary); err != nil {
			return err
		}
	}
	return checkIDs("the suppressed tokens", s.Suppress, vocabulary)
}

// checkTokens is checkIDs for a sequence that may not be empty.
func checkTokens(what string, ids []int32, vocabulary int) error {
	if len(ids) == 0 {
		return fmt.Errorf("%s has no tokens", what)
	}
	return checkIDs(what, ids, vocabulary)
}

func checkIDs(what string, ids []int32, vocabulary int) error {
	for _, id := range ids {
		if id < 0 || int(id) >= vocabulary {
			return fmt.Errorf("token id %d in %s is not in the model's vocabulary of %d", id, what, vocabulary)
		}
	}
	return nil
}

// processes reports whether processors change the logits, other than to keep ends away.
func (s *Sampling) processes() bool {
	return len(s.Bias) > 0 || s.RepetitionPenalty != 1 || s.PresencePenalty != 0 || s.FrequencyPenalty != 0 ||
		s.NoRepeatNGram != 0 || len(s.BadWords) > 0 || len(s.Suppress) > 0
}

// plain reports whether logits decide as they are: greedily, and no processor changes them.
func (s *Sampling) plain() bool {
	return s.Temperature == 0 && !s.processes() && s.MinLength == 0 && s.MinTokens == 0
}

// uniform returns the random number in [0, 1) of one token of one answer.
func (s *Sampling) uniform(answer, token int) float64 {
	w := kernel.Philox([4]uint32{uint32(token), uint32(answer), 0, 0}, [2]uint32{uint32(s.Seed), uint32(s.Seed >> 32)})
	return float64((uint64(w[0])<<32|uint64(w[1]))>>11) / (1 << 53)
}
