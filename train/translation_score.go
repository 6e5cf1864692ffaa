package train

import (
	"context"
	"runtime"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/eval"
	"github.com/parley-lm/parley/grad"
)

// better compares by the recipe's metric; of equal BLEU the lower loss is better.
func (t *translation) better(a, b Score) bool {
	if t.recipe.Validation.Metric == "bleu" && a.BLEU != b.BLEU {
		return a.BLEU > b.BLEU
	}
	return a.Loss < b.Loss
}

// score computes the loss and, with a beam above 0, BLEU on the validation pairs: on as many sentences as the recipe says,
// or in the end on all of them, with the beam of decode.
func (t *translation) score(ctx context.Context, v *ValidationReport, final bool) error {
	beam, limit := t.recipe.Validation.Beam, t.recipe.Validation.Limit
	if final && beam > 0 {
		beam, limit = t.recipe.Decode.Beam, 0
	}
	v.Loss = t.validationLoss(t.tape, t.recipe.Train.MicroTokens)
	if beam == 0 {
		return nil
	}
	pairs := first(t.sets.validation, limit)
	hyps, err := t.translate(ctx, pairs.Source, beam)
	if err != nil {
		return err
	}
	bleu, err := eval.BLEU{Tokenize: t.recipe.Validation.BLEU}.Corpus(hyps, [][]string{pairs.Target})
	if err != nil {
		return err
	}
	v.BLEU = bleu.Value
	v.Samples = samples(pairs, hyps, t.recipe.Validation.Samples)
	return nil
}

// first returns the first n pairs; 0 means all.
func first(p *corpus.Pairs, n int) *corpus.Pairs {
	if n == 0 || n >= p.Len() {
		return p
	}
	return &corpus.Pairs{Source: p.Source[:n], Target: p.Target[:n], Line: p.Line[:n]}
}

// samples picks n pairs spread over all of them.
func samples(p *corpus.Pairs, hyps []string, n int) []Sample {
	n = min(n, p.Len())
	list := make([]Sample, n)
	for i := range list {
		at := i * p.Len() / n
		list[i] = Sample{p.Source[at], p.Target[at], hyps[at]}
	}
	return list
}

// translate translates with the model's present weights. A sentence that is too long gives an empty translation. The
// activations of training, most of a run's memory, are given up for its duration, so that the two never add up.
func (t *translation) translate(ctx context.Context, sources []string, beam int) ([]string, error) {
	*t.tape = grad.Tape{Pool: t.pool}
	runtime.GC()
	t.store().Pack(t.pool)
	defer t.store().Unpack()
	d := &t.recipe.Decode
	translator, err := decode.NewTranslator(t.model, t.pool, decode.Options{
		Beams: beam, LengthPenalty: d.LengthPenalty, MaxRatio: d.MaxRatio, MaxExtra: d.MaxExtra,
	})
	if err != nil {
		return nil, err
	}
	hyps, at := make([]string, len(sources)), 0
	var ids []int32
	next := func(bool) ([]int32, decode.Supply) {
		if at == len(sources) {
			return nil, decode.Done
		}
		ids = append(t.tok.Append(nil, sources[at]), t.model.Config.EOSID)
		at++
		return ids, decode.Ready
	}
	err = translator.Run(ctx, next, func(i int, result decode.Result) error {
		if result.Err == nil {
			hyps[i] = t.tok.Decode(result.Hypotheses[0].IDs, true)
		}
		return nil
	})
	return hyps, err
}

// test scores the present weights on the test sets, if anything is translated at all.
func (t *translation) test(ctx context.Context) (scores []TestScore, err error) {
	if t.recipe.Validation.Beam == 0 {
		return nil, nil
	}
	for _, set := range t.sets.tests {
		score, err := t.testOn(ctx, set)
		if err != nil {
			return nil, err
		}
		scores = append(scores, score)
	}
	return scores, nil
}

func (t *translation) testOn(ctx context.Context, set testSet) (TestScore, error) {
	pairs := set.pairs
	score := TestScore{Name: set.name, Sentences: pairs.Len()}
	hyps, err := t.translate(ctx, pairs.Source, t.recipe.Decode.Beam)
	if err != nil {
		return score, err
	}
	bleu, err := eval.BLEU{Tokenize: t.recipe.Validation.BLEU}.Corpus(hyps, [][]string{pairs.Target})
	if err != nil {
		return score, err
	}
	chrf, err := eval.CHRF{}.Corpus(hyps, [][]string{pairs.Target})
	if err != nil {
		return score, err
	}
	score.BLEU, score.Signature, score.ChrF = bleu.Value, bleu.Signature, chrf.Value
	for i, h := range hyps {
		if h == pairs.Target[i] {
			score.Exact += 100 / float64(len(hyps))
		}
	}
	return score, nil
}
