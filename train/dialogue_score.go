package train

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/grad"
)

func (d *dialogue) better(a, b Score) bool { return a.Loss < b.Loss }

// test scores nothing: what a model answers is judged on the dialogues that are held out.
func (d *dialogue) test(context.Context) ([]TestScore, error) { return nil, nil }

// score computes the mean of −log p over what the assistant says in the validation dialogues, or while training in as many of
// them as have validation.limit tokens, and has the model answer some of them.
func (d *dialogue) score(ctx context.Context, v *ValidationReport, final bool) error {
	limit := math.MaxInt
	if n := d.recipe.Validation.Limit; n > 0 && !final {
		limit = n
	}
	sum, learned, rows, bytes := 0.0, 0, 0, 0
	for i := 0; i < d.valid.len() && rows < limit; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.batch.Reset()
		for i < d.valid.len() && (len(d.batch.Input) == 0 || len(d.batch.Input)+int(d.valid.lengths[i]) <= d.recipe.Train.MicroTokens) {
			d.add(d.valid, i)
			learned += int(d.valid.learned[i])
			i++
		}
		n := len(d.batch.Input)
		d.nll = slices.Grow(d.nll[:0], n)[:n]
		d.tape.Begin(grad.Mode{})
		d.model.Loss(d.tape, &d.batch, 1, d.nll)
		for at, x := range d.nll {
			sum += float64(x)
			if id := d.batch.Target[at]; id >= 0 {
				bytes += len(d.tok.Decode([]int32{id}, true))
			}
		}
		rows += n
	}
	v.Loss = sum / float64(max(1, learned))
	v.BitsPerByte = sum / math.Ln2 / float64(max(1, bytes))
	var err error
	v.Samples, err = d.samples(ctx)
	return err
}

// samples has the model answer, in place of the assistant's last turn, some of the validation dialogues, spread over all.
func (d *dialogue) samples(ctx context.Context) ([]Sample, error) {
	o := &d.recipe.Validation
	count := min(o.Samples, d.valid.len())
	if o.SampleTokens == 0 {
		return nil, nil
	}
	defer d.start.settle(d.pool)()
	var list []Sample
	for i := range count {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		one := d.valid.read[i*d.valid.len()/count]
		last := len(one.Messages) - 1
		for one.Messages[last].Role != chat.Assistant {
			last--
		}
		t := d.template
		if one.Tools != nil {
			t, _ = t.With("tools", one.Tools) // which was read before
		}
		prompt, err := t.Prompt(d.tok, one.Messages[:last])
		if err != nil {
			return nil, err
		}
		rng := rand.New(rand.NewPCG(uint64(d.recipe.Train.Seed), uint64(i)))
		most := min(o.SampleTokens, d.model.Config.MaxPositions-len(prompt))
		written := continuation(d.model, d.tape, prompt, most, o.Temperature, rng, d.end)
		list = append(list, Sample{
			Source: one.Messages[last-1].Content, Reference: one.Messages[last].Content, Hypothesis: d.tok.Decode(written, true),
		})
	}
	return list, nil
}
