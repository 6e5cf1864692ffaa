package decode

import (
	"fmt"
	"math"

	"github.com/parley-lm/parley/model"
)

// Options says how to search. The zero value is greedy search with a length limit of the model's positions.
type Options struct {
	Beams         int // hypotheses kept; 0 and 1: greedy search
	NBest         int // hypotheses returned, at most Beams; 0 means 1
	LengthPenalty float64
	Early         model.EarlyStopping

	// MaxLength is the most tokens of a hypothesis, the decoder's start and EOS counted; 0 means MaxRatio times the
	// source's tokens plus MaxExtra. Never more than the model's positions. At the limit EOS is forced.
	MaxLength int
	MaxRatio  float64
	MaxExtra  int

	Scores bool // compute log-probabilities in greedy search too, where the search itself needs none; otherwise 0
	Rows   int  // hypotheses decoded at once in one batch; 0 means 48. It changes speed and memory, never results.
}

const defaultRows = 48 // so that what a batch touches stays in a core's second-level cache

func (o Options) normal() (Options, error) {
	o.Beams, o.NBest = max(o.Beams, 1), max(o.NBest, 1)
	if o.NBest > o.Beams {
		return o, fmt.Errorf("decode: %d best hypotheses wanted of %d beams; ask for more beams", o.NBest, o.Beams)
	}
	if o.Beams > 1024 {
		return o, fmt.Errorf("decode: %d beams; at most 1024 are supported", o.Beams)
	}
	if math.IsNaN(o.LengthPenalty) || math.IsInf(o.LengthPenalty, 0) || !(o.MaxRatio >= 0) || o.MaxLength < 0 || o.MaxExtra < 0 {
		return o, fmt.Errorf("decode: length penalty %g, maximum length %d, %g times the source plus %d: must be finite and not negative", o.LengthPenalty, o.MaxLength, o.MaxRatio, o.MaxExtra)
	}
	if o.Rows <= 0 {
		o.Rows = defaultRows
	}
	o.Rows = max(o.Rows, o.Beams)
	return o, nil
}

// scored reports whether log-probabilities are computed.
func (o Options) scored() bool { return o.Beams > 1 || o.Scores }

// limit returns the most tokens of a hypothesis for a source of n tokens, start and EOS counted.
func (o Options) limit(n int, c model.EncDecConfig) int {
	l := c.MaxPositions
	switch {
	case o.MaxLength > 0:
		l = min(l, o.MaxLength)
	case o.MaxRatio > 0 || o.MaxExtra > 0:
		l = min(l, int(math.Ceil(o.MaxRatio*float64(n)))+o.MaxExtra)
	}
	return max(l, 2)
}

// Hypothesis is one output: its ids without the decoder's start and without EOS.
type Hypothesis struct {
	IDs     []int32
	LogProb float64 // sum over the tokens, EOS included
	Score   float64 // LogProb / (tokens, EOS counted)^LengthPenalty
}

// Result is what one source gave: hypotheses, best first, or an error that concerns this source alone.
type Result struct {
	Hypotheses []Hypothesis
	Err        error
}
