package decode

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/parley-lm/parley/model"
)

// Request is a prompt to be continued, for [Generator.Add]. It is read only until its last answer has ended.
type Request struct {
	Context  context.Context // when it ends, so does the request
	Prompt   []int32         // at least one token
	Sampling Sampling
	Ends     []int32 // tokens that end an answer
	// MaxTokens is the most tokens of an answer, the one that ends it included; 0 means no limit but the model's context,
	// which holds prompt and answer.
	MaxTokens int
	Answers   int  // how many; 0 means 1. They share the prompt's part of the cache.
	LogProb   bool // every token's own probability is told
	LogProbs  int  // so many of the best alternatives are told with every token, and its own probability
	// Keep says that what is computed of prompt and answers stays in the cache for a while after they have ended: a later
	// prompt that begins with them, as the next turn of a dialogue does, is read from there on. It changes no bits.
	Keep bool

	// Choices, if there are any, are all that an answer can be: one of these sequences, chosen token by token or, with beams,
	// searched for. One that others begin with needs a token of Ends after it.
	Choices [][]int32

	// Beams above 1 are those of a beam search, whose best hypotheses are the answers. Sampling must then have Temperature 0; as
	// in transformers, its processors change the log-probabilities of tokens, which are not normalised again.
	Beams         int
	LengthPenalty float64
	Early         model.EarlyStopping

	// Emit is handed every token, answer by answer with beams, else as they are chosen. The last token of an answer has an
	// End. If Emit returns false before, the answer ends all the same, and no End follows. What t points to is valid
	// until Emit returns.
	Emit func(answer int, t Token) bool
	// Fail is told what ended the request early: the error of Context, or what is wrong with the model's logits.
	Fail func(err error)
}

// Token is one token of an answer.
type Token struct {
	ID           int32
	LogProb      float64       // natural logarithm of its probability by the model, whatever the settings of sampling
	Alternatives []Alternative // the most probable tokens here by the model, most probable first
	Score        float64       // at the end of a hypothesis of a beam search: its score
	End          End
}

// Alternative is a token that could have been chosen, and the logarithm of its probability.
type Alternative struct {
	ID      int32
	LogProb float64
}

// End says why an answer ends with a token.
type End uint8

const (
	// NotEnded is for tokens that others follow.
	NotEnded End = iota
	// EndOfText comes with a token of Request.Ends.
	EndOfText
	// Length says that there are as many tokens as were asked for, or as the context holds.
	Length
	// Chosen says that one of the choices is complete.
	Chosen
)

// check reports what is wrong with a request, and fills in what it leaves open.
func (r *Request) check(c model.DecoderConfig, rows int) error {
	if len(r.Prompt) == 0 {
		return errors.New("the prompt has no tokens; begin with the token that begins a text")
	}
	if len(r.Prompt) >= c.MaxPositions {
		return fmt.Errorf("the prompt has %d tokens, which leaves no room in the model's context of %d; shorten it", len(r.Prompt), c.MaxPositions)
	}
	if err := checkIDs("the prompt", r.Prompt, c.VocabSize); err != nil {
		return err
	}
	if err := checkIDs("the tokens that end a text", r.Ends, c.VocabSize); err != nil {
		return err
	}
	if err := r.Sampling.Check(c.VocabSize); err != nil {
		return err
	}
	r.Answers, r.Beams = max(r.Answers, 1), max(r.Beams, 1)
	if r.MaxTokens < 0 || r.LogProbs < 0 || r.LogProbs > c.VocabSize {
		return fmt.Errorf("at most %d tokens with %d alternatives each are asked for; must not be negative, and the vocabulary has %d", r.MaxTokens, r.LogProbs, c.VocabSize)
	}
	if room := c.MaxPositions - len(r.Prompt); r.MaxTokens == 0 || r.MaxTokens > room {
		r.MaxTokens = room
	}
	if r.Answers > rows {
		return fmt.Errorf("%d answers are asked for; at most %d can be written together", r.Answers, rows)
	}
	if err := r.checkChoices(c.VocabSize); err != nil || r.Beams == 1 {
		return err
	}
	return r.checkSearch(rows)
}

func (r *Request) checkSearch(rows int) error {
	switch {
	case r.Beams > rows:
		return fmt.Errorf("%d beams are asked for; at most %d can be searched together", r.Beams, rows)
	case r.Answers > r.Beams:
		return fmt.Errorf("%d answers are asked for of %d beams; ask for more beams", r.Answers, r.Beams)
	case r.Sampling.Temperature != 0:
		return errors.New("a beam search does not sample; set the temperature to 0, or search with one beam")
	case len(r.Choices) > 0 && r.Answers > r.distinctChoices():
		return fmt.Errorf("%d answers are asked for of %d different choices; a beam search finds each once", r.Answers, r.distinctChoices())
	case r.LogProb || r.LogProbs > 0:
		return errors.New("a beam search tells neither probabilities nor alternatives; ask for one beam")
	case math.IsNaN(r.LengthPenalty) || math.IsInf(r.LengthPenalty, 0):
		return fmt.Errorf("the length penalty is %g; it must be a finite number", r.LengthPenalty)
	}
	return nil
}

func (r *Request) checkChoices(vocabulary int) error {
	for i, c := range r.Choices {
		if err := checkTokens("a choice", c, vocabulary); err != nil {
			return err
		}
		for j, other := range r.Choices {
			if len(other) > len(c) && slices.Equal(c, other[:len(c)]) && len(r.Ends) == 0 {
				return fmt.Errorf("choice %d is the beginning of choice %d, and the model has no token that ends a text to tell them apart", i+1, j+1)
			}
		}
	}
	return nil
}

func (r *Request) distinctChoices() int {
	n := 0
	for i, c := range r.Choices {
		if !slices.ContainsFunc(r.Choices[:i], func(other []int32) bool { return slices.Equal(c, other) }) {
			n++
		}
	}
	return n
}

// allowed appends to dst the tokens that may follow what was written of an answer; none if the answer is a choice that no
// other goes on from.
func (r *Request) allowed(dst, written []int32) []int32 {
	complete := false
	for _, c := range r.Choices {
		switch {
		case len(c) < len(written) || !slices.Equal(c[:len(written)], written):
		case len(c) == len(written):
			complete = true
		case !slices.Contains(dst, c[len(written)]):
			dst = append(dst, c[len(written)])
		}
	}
	if complete && len(dst) > 0 {
		dst = append(dst, r.Ends...)
	}
	return dst
}
