package train

import (
	"context"
	_ "embed"
	"fmt"
	"iter"
	"slices"
	"strings"
	"text/template"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/eval"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/loss"
)

// classification is the objective of a text classifier: the cross-entropy of each text's label. With objective.along, a share
// of it is borne by the scores at all tokens of the text, each predicting the label from what stands before it.
type classification struct {
	scored
	train, valid *labelledSet
	tests        []*labelledSet
	order        *shuffled // of train
	right        int       // of the batch's texts so far
	judged       int       // of the batch's texts so far
	measures     [1]Measure
}

// labelledSet is texts as tokens, with their classes.
type labelledSet struct {
	*sequences
	name    string
	classes []int32
	cut     int // texts of which only a part is read
}

func newClassification(ctx context.Context, w workplace) (objective, error) {
	c := &classification{scored: scored{workplace: w}}
	train, valid, tests, err := c.read()
	if err != nil {
		return nil, err
	}
	texts := func() iter.Seq2[string, error] { return each(train.Texts) }
	if c.vocabulary, err = c.makeVocabulary(ctx, texts, texts); err != nil {
		return nil, err
	}
	if err := c.makeModel(train.Labels); err != nil {
		return nil, err
	}
	c.train, c.valid = c.encode("training", train), c.encode("validation", valid)
	for i, test := range tests {
		c.tests = append(c.tests, c.encode(w.recipe.Data.Test[i], test))
	}
	t := &w.recipe.Train
	if c.order, err = newShuffled(c.train.sequences, t.BatchTokens, t.MicroTokens, uint64(t.Seed)); err != nil {
		return nil, err
	}
	return c, w.recipe.followBatches(c.order.batches.Len(), c.model.Config.Hidden)
}

// each yields texts.
func each(texts []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, text := range texts {
			if !yield(text, nil) {
				return
			}
		}
	}
}

// read reads all sets. The labels are those of the training texts.
func (c *classification) read() (train, valid *corpus.Labelled, tests []*corpus.Labelled, err error) {
	d := &c.recipe.Data
	if train, err = c.readSet("data.train", d.Train, d.Labels); err != nil {
		return nil, nil, nil, err
	}
	if len(train.Labels) < 2 {
		return nil, nil, nil, fmt.Errorf("data.train: all texts have the label %q; a classifier needs two or more", train.Labels[0])
	}
	fingerprint := train.Fingerprint()
	if len(d.Validation) > 0 {
		if valid, err = c.readSet("data.validation", d.Validation, train.Labels); err != nil {
			return nil, nil, nil, err
		}
		fingerprint += "+" + valid.Fingerprint()
	} else if train, valid = train.HoldOut(SplitSeed, d.HeldOutShare); min(len(train.Texts), len(valid.Texts)) == 0 {
		return nil, nil, nil, fmt.Errorf("data.held_out_share = %g leaves %d texts to train on and %d to validate", d.HeldOutShare, len(train.Texts), len(valid.Texts))
	}
	c.text = fingerprint
	for _, name := range d.Test {
		test, err := c.readSet("data.test", []string{name}, train.Labels)
		if err != nil {
			return nil, nil, nil, err
		}
		tests = append(tests, test)
	}
	return train, valid, tests, nil
}

func (c *classification) readSet(key string, names, labels []string) (*corpus.Labelled, error) {
	d := &c.recipe.Data
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = d.path(name)
	}
	l, err := corpus.LabelledFiles{Field: d.Field, LabelField: d.LabelField, Labels: labels}.Read(paths)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if !c.resumed {
		c.progress.Note(fmt.Sprintf("%s: %d texts of the labels %s", key, len(l.Texts), strings.Join(l.Labels, ", ")))
		for _, note := range l.Notes() {
			c.progress.Note(key + ": " + note)
		}
	}
	return l, nil
}

// encode turns a set into tokens.
func (c *classification) encode(name string, l *corpus.Labelled) *labelledSet {
	set := &labelledSet{name: name, classes: l.Class}
	cut := make([]bool, len(l.Texts))
	set.sequences = encodeGroups(c.pool, slices.Repeat([]int32{1}, len(l.Texts)), func(dst []int32, i int) (ids []int32) {
		ids, cut[i] = c.reader.Encode(dst, l.Texts[i])
		return ids
	})
	for _, short := range cut {
		if short {
			set.cut++
		}
	}
	if set.cut > 0 && !c.resumed {
		c.progress.Note(fmt.Sprintf("%s: of %d texts with more than model.context = %d tokens the %s is read", name, set.cut, c.reader.Context, c.recipe.Data.Long))
	}
	return set
}

func (c *classification) beginEpoch(epoch int) { c.order.batches.Epoch(epoch) }
func (c *classification) batches() int         { return c.order.batches.Len() }

func (c *classification) size(batch int) (sequences, tokens, passes int) { return c.order.size(batch) }

// forward computes scale times the loss of a pass, as if each token bore its text's mean: the texts count equally.
func (c *classification) forward(tape *grad.Tape, batch, pass, passes int, scale float64) (float64, error) {
	texts, tokens, _ := c.order.size(batch)
	o, each := &c.recipe.Objective, scale*float64(tokens)/float64(texts)
	part := c.order.part(batch, pass, passes)
	if len(part) == 0 {
		return 0, nil
	}
	c.batch.Reset()
	for _, i := range part {
		c.batch.AddInput(c.train.ids[i])
	}
	x := c.scores(tape)
	gradient, total := c.zeroGradient(x.Rows()), 0.0
	for i, text := range part {
		class := c.train.classes[text]
		l, correct, _ := loss.Classes(x.Value().Row(i), class, o.LabelSmoothing, each*(1-o.Along), gradient.Row(i))
		total += each * (1 - o.Along) * l
		if correct {
			c.right++
		}
		if o.Along == 0 {
			continue
		}
		first, end := int(c.batch.Starts[i]), int(c.batch.Starts[i+1])
		share := each * o.Along / float64(end-first)
		for row := first; row < end; row++ {
			l, _, _ := loss.Classes(x.Value().Row(len(part)+row), class, o.LabelSmoothing, share, gradient.Row(len(part)+row))
			total += share * l
		}
	}
	tape.Seed(x, gradient)
	c.judged += len(part)
	return total, nil
}

// scores are those of the batch's texts and, with objective.along, below them those at all tokens.
func (c *classification) scores(tape *grad.Tape) (x grad.Var) {
	if c.recipe.Objective.Along == 0 {
		x, c.rows = c.model.TextScores(tape, &c.batch, c.rows)
		return x
	}
	c.rows = c.model.LastRows(c.rows[:0], &c.batch)
	for row := range c.batch.Input {
		c.rows = append(c.rows, int32(row))
	}
	return c.model.Scores(tape, &c.batch, c.rows)
}

func (c *classification) finishGradient() Measures {
	c.measures[0] = Measure{"accuracy", float64(c.right) / float64(max(1, c.judged))}
	c.right, c.judged = 0, 0
	return c.measures[:]
}

// score computes the mean loss, accuracy and calibration on the validation texts, while training on as many as
// validation.limit says.
func (c *classification) score(ctx context.Context, v *ValidationReport, final bool) error {
	n := c.valid.len()
	if limit := c.recipe.Validation.Limit; limit > 0 && !final {
		n = min(n, limit)
	}
	v.Calibration = new(eval.Calibration)
	v.Loss, v.Measures = c.evaluate(c.valid, n, v.Calibration)
	return ctx.Err()
}

// evaluate scores n texts of a set, spread over all of it: files often have one label after the other.
func (c *classification) evaluate(set *labelledSet, n int, calibration *eval.Calibration) (mean float64, m Measures) {
	sum := 0.0
	at := func(i int) int { return i * set.len() / n }
	c.scorer.Each(c.model, c.tape, n, func(i int) []int32 { return set.ids[at(i)] }, func(i int, scores []float32) {
		l, correct, confidence := loss.Classes(scores, set.classes[at(i)], 0, 0, nil)
		sum += l
		calibration.Add(confidence, oneIf(correct))
	})
	return sum / float64(max(1, n)), Measures{{"accuracy", calibration.Accuracy()}, {"calibration error", calibration.Error()}}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// better prefers accuracy, or of equal ones the loss.
func (c *classification) better(a, b Score) bool {
	return betterAccuracy(c.recipe.Validation.Metric, a, b)
}

func betterAccuracy(metric string, a, b Score) bool {
	x, y := a.Measures.Of("accuracy"), b.Measures.Of("accuracy")
	if metric == "loss" || x == y {
		return a.Loss < b.Loss
	}
	return x > y
}

// test scores the final model on the test texts.
func (c *classification) test(ctx context.Context) (list []TestScore, err error) {
	for _, set := range c.tests {
		mean, m := c.evaluate(set, set.len(), new(eval.Calibration))
		list = append(list, TestScore{Name: set.name, Sentences: set.len(), Measures: append(m, Measure{"loss", mean})})
	}
	return list, ctx.Err()
}

func (c *classification) describe(p *Plan) {
	p.TrainTexts, p.ValidTexts = c.train.len(), c.valid.len()
	for _, t := range c.tests {
		p.TestTexts += t.len()
	}
	p.Frozen = c.frozen()
	p.StepTokens = int(c.train.total() / int64(p.Batches))
	p.FLOPsPerUpdate = c.flops(float64(c.train.total())/float64(2*c.train.len())) * float64(p.StepTokens)
}

//go:embed classification.md.tmpl
var classificationCardText string

var classificationCard = template.Must(template.New("card").Parse(classificationCardText))

func (c *classification) card() *template.Template { return classificationCard }
