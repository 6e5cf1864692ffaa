// Package judge gives scores to texts with the model of a directory: the labels' of a text classifier, the reward of a reward
// model. Whatever the company in which a text is scored, it gets the same bits.
//
// It knows nothing of training; start at [Open].
package judge

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// Judge is an opened classifier or reward model with its tokenizer. It serves one goroutine.
type Judge struct {
	Model *model.Classifier
	Reader
	dir    string
	scorer Scorer
	tape   grad.Tape
}

// Open opens the model of a directory or a run as transformers saves it: config.json, weights, tokenizer.json and
// tokenizer_config.json. It computes on so many threads, 0 meaning all processors.
func Open(dir string, threads int) (*Judge, error) {
	dir = hub.ModelDir(dir)
	c, err := hub.LoadClassifier(dir)
	if err != nil {
		return nil, err
	}
	j := &Judge{Model: c.Model, dir: dir}
	if j.Reader, err = readerOf(hub.TokenizerDir(dir), c.Model.Config.MaxPositions); err != nil {
		return nil, err
	}
	if n := j.Tokenizer.Size(); n > c.Model.Config.VocabSize {
		return nil, fmt.Errorf("%s: the tokenizer has %d tokens, the model embeddings for %d: they do not belong together", dir, n, c.Model.Config.VocabSize)
	}
	j.tape.Pool = kernel.NewPool(threads)
	c.Model.Store().Pack(j.tape.Pool)
	return j, nil
}

// Close ends the judge's threads.
func (j *Judge) Close() { j.tape.Pool.Close() }

// Scores returns the scores of texts, [texts][labels], and of how many only a part was read because they are too long. It is an error
// if one is no finite number.
func (j *Judge) Scores(texts []string) (scores [][]float32, cut int, err error) {
	ids := make([][]int32, len(texts))
	for i, text := range texts {
		var short bool
		if ids[i], short = j.Encode(nil, text); short {
			cut++
		}
	}
	scores, err = j.ScoresOfTokens(ids)
	return scores, cut, err
}

// ScoresOfTokens is Scores for token sequences, none of which is empty.
func (j *Judge) ScoresOfTokens(sequences [][]int32) ([][]float32, error) {
	scores := make([][]float32, len(sequences))
	j.scorer.Each(j.Model, &j.tape, len(sequences), func(i int) []int32 { return sequences[i] }, func(i int, s []float32) {
		scores[i] = slices.Clone(s)
	})
	for i, s := range scores {
		for _, x := range s {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return nil, fmt.Errorf("%s: the score of text %d is %g; its weights are damaged, or too large", j.dir, i+1, x)
			}
		}
	}
	return scores, nil
}

// Reader turns texts into the tokens that a model judges.
type Reader struct {
	Tokenizer *tokenizer.Tokenizer
	Template  *chat.Template // of dialogues
	Context   int            // most tokens that are read of a text
	KeepEnd   bool           // of a text that is longer its end is read, not its beginning
}

func readerOf(dir string, positions int) (Reader, error) {
	r := Reader{Context: positions}
	var err error
	if r.Tokenizer, err = tokenizer.Load(filepath.Join(dir, "tokenizer.json")); err != nil {
		return r, err
	}
	config, err := hub.ReadConfig(filepath.Join(dir, "tokenizer_config.json"))
	if err != nil {
		return r, err
	}
	longest, err := config.FloatOr("model_max_length", float64(positions)) // 1e30 where transformers knows of none
	if err != nil {
		return r, err
	}
	if longest < 1 {
		return r, fmt.Errorf("%s: model_max_length is %g, must be at least 1", config.Path(), longest)
	}
	r.Context = int(math.Min(longest, float64(positions)))
	side, err := config.StringOr("truncation_side", "right")
	if err != nil {
		return r, err
	}
	r.KeepEnd = side == "left"
	r.Template, err = TemplateOf(dir)
	return r, err
}

// Encode appends a text's tokens, with what the tokenizer puts around it, and says whether some were left out.
func (r *Reader) Encode(dst []int32, text string) (ids []int32, cut bool) {
	from := len(dst)
	dst = append(dst, r.Tokenizer.Prefix()...)
	begin := len(dst)
	dst = r.Tokenizer.Append(dst, text)
	suffix := r.Tokenizer.Suffix()
	room := max(0, r.Context-(begin-from)-len(suffix))
	if n := len(dst) - begin; n > room {
		if cut = true; r.KeepEnd {
			copy(dst[begin:], dst[len(dst)-room:])
		}
		dst = dst[:begin+room]
	}
	if dst = append(dst, suffix...); len(dst) == from { // nothing at all: judged all the same
		dst = append(dst, 0)
	}
	return dst, cut
}

// EncodeAnswer appends the tokens of an answer to a prompt: a text that goes on with it, or a dialogue as its template has it. Of
// one that is too long the end is read, and cut is true.
func (r *Reader) EncodeAnswer(dst []int32, p *corpus.Ranked, answer string) (ids []int32, cut bool, err error) {
	if p.Messages == nil {
		end := *r
		end.KeepEnd = true
		ids, cut = end.Encode(dst, p.Prompt+answer)
		return ids, cut, nil
	}
	ids, _, err = r.Template.Encode(r.Tokenizer, append(slices.Clip(p.Messages), chat.Message{Role: chat.Assistant, Content: answer}))
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", p.Where, err)
	}
	if cut = len(ids) > r.Context; cut {
		ids = ids[len(ids)-r.Context:]
	}
	return append(dst, ids...), cut, nil
}

// Scorer scores many sequences in batches, in memory that is reused.
type Scorer struct {
	batch model.TokenBatch
	alike [mostAlike][]int32
	rows  []int32
}

// mostAlike is how many sequences are computed together at most because they begin alike.
const mostAlike = 16

// beginAlike reports whether two sequences have so much in common that it pays to compute it once.
func beginAlike(a, b []int32) bool {
	half := (len(a) + 1) / 2
	return len(b) > half && slices.Equal(a[:half], b[:half])
}

// batchTokens is about how many tokens are scored at a time.
const batchTokens = 4096

// Each scores n sequences, none of them empty, and hands each one's scores, [labels], to yield in order; they are valid until it
// returns. A sequence must be as it is until the next one is asked for. What neighbours begin with, such as a prompt with several answers, is computed once for all of them.
func (s *Scorer) Each(m *model.Classifier, t *grad.Tape, n int, sequence func(i int) []int32, yield func(i int, scores []float32)) {
	for from := 0; from < n; {
		s.batch.Reset()
		to := from
		for to < n && (to == from || len(s.batch.Input)+len(sequence(to)) <= batchTokens) {
			count := 0
			for count == 0 || to < n && count < mostAlike && beginAlike(s.alike[0], sequence(to)) {
				s.alike[count] = append(s.alike[count][:0], sequence(to)...)
				count, to = count+1, to+1
			}
			m.AddAlike(&s.batch, s.alike[:count])
		}
		t.Begin(grad.Mode{})
		var scores grad.Var
		scores, s.rows = m.TextScores(t, &s.batch, s.rows)
		x := scores.Value()
		for i := from; i < to; i++ {
			yield(i, x.Row(i-from))
		}
		from = to
	}
}
