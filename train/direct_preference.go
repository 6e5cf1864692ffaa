package train

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/judge"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// directPreference is the objective of direct preference optimisation (Rafailov et al. 2023) and its relatives: a loss of how
// much more the model prefers the chosen answer to the rejected one than the model that it began with, the reference. The
// reference's log-probabilities are computed once, while the model still is the reference, so no second model is kept.
type directPreference struct {
	workplace
	supervised
	vocabulary
	start        *startingModel
	end          int32 // ends an answer that goes on with a text
	template     *chat.Template
	train, valid *pairSet
	tests        []*pairSet
	text, base   string // fingerprints of the data and of the reference
	order        *shuffled

	batch         model.TokenBatch
	rows, targets []int32
	gradient      []float32
	logProbs      []float64 // of the batch's answers
	seen          preferred
	measures      [4]Measure
}

// pairSet is pairs of answers as tokens, the chosen one before the rejected one.
type pairSet struct {
	*sequences
	name      string
	answerAt  []int32   // where in each sequence the answer begins
	reference []float64 // log-probability of each answer under the reference
}

// preferred sums up how a model prefers the answers of pairs.
type preferred struct {
	pairs, right, loss, chosen, rejected float64
}

func newDirectPreference(ctx context.Context, w workplace) (objective, error) {
	d := &directPreference{workplace: w}
	sets, err := w.readPreferences()
	if err != nil {
		return nil, err
	}
	d.text = sets.fingerprint
	if err := d.makeModel(ctx); err != nil {
		return nil, err
	}
	if d.train, err = d.encode("training", sets.train); err != nil {
		return nil, err
	}
	if d.valid, err = d.encode("validation", sets.valid); err != nil {
		return nil, err
	}
	for i, test := range sets.tests {
		set, err := d.encode(sets.names[i], test)
		if err != nil {
			return nil, err
		}
		d.tests = append(d.tests, set)
	}
	t := &w.recipe.Train
	if d.order, err = newShuffled(d.train.sequences, t.BatchTokens, t.MicroTokens, uint64(t.Seed)); err != nil {
		return nil, err
	}
	if !w.resumed {
		w.progress.Note("computing the reference's log-probabilities")
	}
	for _, set := range append([]*pairSet{d.train, d.valid}, d.tests...) {
		if set.reference, err = d.answersLogProbs(ctx, set, set.len()); err != nil {
			return nil, err
		}
	}
	return d, w.recipe.followPreference(d.order.batches.Len(), d.start.model.Config.Hidden)
}

// makeModel opens the model that the training begins with, its tokenizer and its chat template.
func (d *directPreference) makeModel(ctx context.Context) (err error) {
	if d.start, err = d.recipe.startModel(d.pool); err != nil {
		return err
	}
	if d.base, err = weightsSum(d.start.base); err != nil {
		return err
	}
	if d.vocabulary, err = d.makeVocabulary(ctx, nil, nil); err != nil {
		return err
	}
	if d.template, err = judge.TemplateOf(d.start.base); err != nil {
		return err
	}
	c, m := d.start.model.Config, &d.recipe.Model
	if c.VocabSize < d.tok.Size() {
		return fmt.Errorf("model.from: %s has embeddings for %d tokens, but its tokenizer has %d", d.start.base, c.VocabSize, d.tok.Size())
	}
	if d.end = d.begin; len(c.EOSIDs) > 0 {
		d.end = c.EOSIDs[0]
	}
	if m.Context == 0 || m.Context > c.MaxPositions {
		m.Context = c.MaxPositions
	}
	return nil
}

// encode turns the comparisons of a set that are not ties into tokens. A pair of which one side is too long is left out.
func (d *directPreference) encode(name string, p *corpus.Preferences) (*pairSet, error) {
	type answer struct {
		prompt *corpus.Ranked
		text   string
	}
	var answers []answer
	for _, prompt := range p.Prompts {
		for _, c := range prompt.Comparisons {
			if !c.Tied {
				answers = append(answers, answer{prompt, prompt.Answers[c.Better]}, answer{prompt, prompt.Answers[c.Worse]})
			}
		}
	}
	if len(answers) == 0 {
		return nil, fmt.Errorf("%s: all %d comparisons are ties, and dpo learns only from those in which one answer is better", name, p.Comparisons)
	}
	at, failed := make([]int32, len(answers)), make([]error, len(answers))
	all := encodeGroups(d.pool, slices.Repeat([]int32{1}, len(answers)), func(dst []int32, i int) (ids []int32) {
		ids, at[i], failed[i] = d.encodeAnswer(answers[i].prompt, answers[i].text)
		return ids
	})
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	set, long := &pairSet{name: name, sequences: &sequences{starts: []int32{0}}}, 0
	for i := 0; i < len(answers); i += 2 {
		pair := all.ids[i : i+2]
		if n := max(len(pair[0]), len(pair[1])); n-1 > d.recipe.Model.Context {
			long++
			continue
		}
		set.ids, set.answerAt = append(set.ids, pair...), append(set.answerAt, at[i], at[i+1])
		set.starts, set.tokens = append(set.starts, int32(len(set.ids))), append(set.tokens, int32(len(pair[0])+len(pair[1])))
	}
	if set.len() == 0 {
		return nil, fmt.Errorf("%s: of %d pairs of answers none has at most model.context = %d tokens, the prompt's included", name, len(answers)/2, d.recipe.Model.Context)
	}
	if !d.resumed {
		if long > 0 {
			d.progress.Note(fmt.Sprintf("%s: %d of %d pairs have more than model.context = %d tokens and are left out", name, long, len(answers)/2, d.recipe.Model.Context))
		}
		if p.Ties > 0 {
			d.progress.Note(fmt.Sprintf("%s: %d ties are left out", name, p.Ties))
		}
	}
	return set, nil
}

// encodeAnswer returns the tokens of prompt and answer, and where the answer begins: after a text, encoded by itself, between
// the tokens that begin and end texts; in a dialogue as the template has it.
func (d *directPreference) encodeAnswer(p *corpus.Ranked, answer string) (ids []int32, at int32, err error) {
	if p.Messages == nil {
		ids = d.tok.Append(append(ids, d.begin), p.Prompt)
		n := len(ids)
		return append(d.tok.Append(ids, answer), d.end), int32(n), nil
	}
	prompt, err := d.template.Prompt(d.tok, p.Messages)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", p.Where, err)
	}
	ids, said, err := d.template.Encode(d.tok, append(slices.Clip(p.Messages), chat.Message{Role: chat.Assistant, Content: answer}))
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", p.Where, err)
	}
	if len(ids) <= len(prompt) || !slices.Equal(ids[:len(prompt)], prompt) {
		return nil, 0, fmt.Errorf("%s: the chat template does not begin a dialogue with an answer as it does the one that asks for it", p.Where)
	}
	last := len(ids)
	for last > len(prompt) && !said[last-1] { // what follows the answer, such as a line break
		last--
	}
	return ids[:last], int32(len(prompt)), nil
}

// add appends a sequence to the batch, and the rows at which its answer is predicted.
func (d *directPreference) add(set *pairSet, i int) {
	ids, from := set.ids[i], int(set.answerAt[i])
	first := len(d.batch.Input)
	d.batch.AddInput(ids[:len(ids)-1])
	for at := from; at < len(ids); at++ {
		d.rows, d.targets = append(d.rows, int32(first+at-1)), append(d.targets, ids[at])
	}
}

func (d *directPreference) reset() {
	d.batch.Reset()
	d.rows, d.targets = d.rows[:0], d.targets[:0]
}

// answersLogProbs returns the log-probabilities of the answers of the first n pairs under the present weights.
func (d *directPreference) answersLogProbs(ctx context.Context, set *pairSet, n int) ([]float64, error) {
	sums := make([]float64, 0, 2*n)
	for from := 0; from < 2*n; {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		d.reset()
		to := from
		for to < 2*n && (to == from || len(d.batch.Input)+len(set.ids[to]) <= d.recipe.Train.MicroTokens) {
			d.add(set, to)
			to++
		}
		d.tape.Begin(grad.Mode{})
		x := d.start.model.TargetLogProbs(d.tape, &d.batch, d.rows, d.targets).Value()
		sums = d.sums(sums, set, from, to, x)
		from = to
	}
	return sums, nil
}

// sums appends the log-probability of each of the answers [from, to), of whose tokens x has one in each row.
func (d *directPreference) sums(dst []float64, set *pairSet, from, to int, x kernel.Mat) []float64 {
	row := 0
	for i := from; i < to; i++ {
		sum := 0.0
		for range set.answerTokens(i) {
			sum += float64(x.Row(row)[0])
			row++
		}
		dst = append(dst, sum)
	}
	return dst
}

// answerTokens is the number of tokens of an answer.
func (s *pairSet) answerTokens(i int) int { return len(s.ids[i]) - int(s.answerAt[i]) }

// logRatios are those of policy to reference of both answers of a pair, and what each is divided by in the loss.
func (s *pairSet) logRatios(pair int, chosen, rejected float64, perToken bool) (c, r, perC, perR float64) {
	perC, perR = 1, 1
	if perToken {
		perC, perR = 1/float64(s.answerTokens(2*pair)), 1/float64(s.answerTokens(2*pair+1))
	}
	return chosen - s.reference[2*pair], rejected - s.reference[2*pair+1], perC, perR
}

func (p *preferred) add(l, beta, c, r float64) {
	p.pairs++
	p.loss += l
	p.chosen += beta * c
	p.rejected += beta * r
	switch {
	case c > r:
		p.right++
	case c == r:
		p.right += 0.5
	}
}

// measure fills in the measures: how often the implicit reward of the chosen answer is the higher one, by how much on the mean,
// and both rewards, β times the log-ratio of policy to reference.
func (p *preferred) measure(m *[4]Measure) Measures {
	n := max(1, p.pairs)
	*m = [4]Measure{{"accuracy", p.right / n}, {"margin", (p.chosen - p.rejected) / n}, {"reward chosen", p.chosen / n}, {"reward rejected", p.rejected / n}}
	return m[:]
}

func (d *directPreference) store() *nn.Store     { return d.start.store() }
func (d *directPreference) beginEpoch(epoch int) { d.order.batches.Epoch(epoch) }
func (d *directPreference) batches() int         { return d.order.batches.Len() }
func (d *directPreference) close() error         { return nil }
func (d *directPreference) better(a, b Score) bool {
	return betterAccuracy(d.recipe.Validation.Metric, a, b)
}

func (d *directPreference) fingerprint() string {
	return "text " + d.text + ", model " + d.base + ", tokenizer " + d.sum
}

func (d *directPreference) changed(began string) error {
	what := "preferences are"
	switch {
	case !strings.HasSuffix(began, d.sum):
		what = "tokenizer is"
	case strings.Contains(began, d.text):
		what = "model in model.from, the reference, is"
	}
	return fmt.Errorf("the %s not what this run began with (%s; now %s): a resumed run needs the same", what, began, d.fingerprint())
}

func (d *directPreference) size(batch int) (sequences, tokens, passes int) {
	return d.order.size(batch)
}

// forward computes scale times the loss of a pass as if each token bore its pair's: the pairs count equally.
func (d *directPreference) forward(tape *grad.Tape, batch, pass, passes int, scale float64) (float64, error) {
	pairs, tokens, _ := d.order.size(batch)
	each, part := scale*float64(tokens)/float64(pairs), d.order.part(batch, pass, passes)
	if len(part) == 0 {
		return 0, nil
	}
	d.reset()
	for _, pair := range part {
		d.add(d.train, 2*int(pair))
		d.add(d.train, 2*int(pair)+1)
	}
	x := d.start.model.TargetLogProbs(tape, &d.batch, d.rows, d.targets)
	d.gradient = slices.Grow(d.gradient[:0], len(d.rows))[:len(d.rows)]
	p, row, total := d.recipe.preference(), 0, 0.0
	for _, pair := range part {
		i := 2 * int(pair)
		n, m := d.train.answerTokens(i), d.train.answerTokens(i+1)
		d.logProbs = d.sums(d.logProbs[:0], d.train, i, i+2, x.Value().Slice(row, row+n+m))
		c, r, perC, perR := d.train.logRatios(int(pair), d.logProbs[0], d.logProbs[1], p.PerToken())
		l, dh := p.Of(c*perC - r*perR)
		total += each * l
		d.seen.add(l, p.Beta, c, r)
		for range n {
			d.gradient[row] = float32(each * dh * perC)
			row++
		}
		for range m {
			d.gradient[row] = float32(-each * dh * perR)
			row++
		}
	}
	tape.Seed(x, kernel.NewMat(d.gradient, len(d.rows), 1))
	return total, nil
}

func (d *directPreference) finishGradient() Measures {
	m := d.seen.measure(&d.measures)
	d.seen = preferred{}
	return m
}

// score computes loss and preferences on the validation pairs, while training on as many as validation.limit says.
func (d *directPreference) score(ctx context.Context, v *ValidationReport, final bool) error {
	n := d.valid.len()
	if limit := d.recipe.Validation.Limit; limit > 0 && !final {
		n = min(n, limit)
	}
	seen, err := d.evaluate(ctx, d.valid, n)
	v.Loss, v.Measures = seen.loss/max(1, seen.pairs), seen.measure(new([4]Measure))
	return err
}

// evaluate sums up the preferences of the present weights on the first n pairs of a set.
func (d *directPreference) evaluate(ctx context.Context, set *pairSet, n int) (seen preferred, err error) {
	sums, err := d.answersLogProbs(ctx, set, n)
	if err != nil {
		return seen, err
	}
	p := d.recipe.preference()
	for pair := range n {
		c, r, perC, perR := set.logRatios(pair, sums[2*pair], sums[2*pair+1], p.PerToken())
		l, _ := p.Of(c*perC - r*perR)
		seen.add(l, p.Beta, c, r)
	}
	return seen, nil
}

func (d *directPreference) test(ctx context.Context) (list []TestScore, err error) {
	for _, set := range d.tests {
		seen, err := d.evaluate(ctx, set, set.len())
		if err != nil {
			return nil, err
		}
		m := seen.measure(new([4]Measure))
		list = append(list, TestScore{Name: set.name, Sentences: 2 * set.len(), Measures: append(m, Measure{"loss", seen.loss / max(1, seen.pairs)})})
	}
	return list, nil
}

func (d *directPreference) describe(p *Plan) {
	p.TrainTexts, p.ValidTexts, p.Frozen = len(d.train.ids), len(d.valid.ids), d.start.frozen()
	for _, t := range d.tests {
		p.TestTexts += len(t.ids)
	}
	p.StepTokens = int(d.train.total() / int64(p.Batches))
	multiplied := float64(0)
	for _, one := range d.start.model.Params() {
		if len(one.Shape) == 2 && !one.Lookup {
			multiplied += float64(one.Size())
		}
	}
	c := d.start.model.Config
	attention := float64(c.Layers*c.Heads*c.HeadDim) * float64(d.train.total()) / float64(2*len(d.train.ids))
	p.FLOPsPerUpdate = 3 * 2 * (multiplied + float64(c.VocabSize*c.Hidden) + attention) * float64(p.StepTokens)
}

//go:embed direct_preference.md.tmpl
var preferenceCardText string

var preferenceCard = template.Must(template.New("card").Parse(preferenceCardText))

func (d *directPreference) card() *template.Template { return preferenceCard }

// save writes the model directory, or that of an adapter.
func (d *directPreference) save(dir string, card []byte) error {
	files, err := hub.TokenizerFiles(d.start.base)
	if err != nil {
		return err
	}
	files["README.md"] = card
	return d.start.save(dir, files)
}
