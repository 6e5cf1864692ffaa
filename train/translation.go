package train

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// Special tokens of a translation vocabulary. </s> is the first id and <pad> the last, as converters of Marian models
// expect; <pad> starts the decoder.
const (
	eosToken     = "</s>"
	unknownToken = "<unk>"
	padToken     = "<pad>"
)

// translation is the objective of sequence-to-sequence learning: the cross-entropy of each target token given the source
// and the target so far, with label smoothing, averaged over the target tokens of an update.
type translation struct {
	recipe  ObjectiveRecipe
	model   *model.EncDec
	train   *encodedPairs
	valid   *encodedPairs
	batches *corpus.Batches // of train
	batch   model.PairBatch
	nll     []float32
}

func newTranslation(r *Recipe, m *model.EncDec, tok *tokenizer.Tokenizer, sets *pairSets, pool *kernel.Pool) (*translation, error) {
	t := &translation{recipe: r.Objective, model: m}
	eos, longest := m.Config.EOSID, m.Config.MaxPositions
	t.train = newEncodedPairs(tok, eos, sets.train, longest, pool)
	t.valid = newEncodedPairs(tok, eos, sets.validation, longest, pool)
	var err error
	if t.batches, err = corpus.NewBatches(t.train.sourceLen, t.train.targetLen, r.Train.BatchTokens, longest, uint64(r.Train.Seed)); err != nil {
		return nil, fmt.Errorf("training data: %w (model.context, train.batch_tokens)", err)
	}
	return t, nil
}

// trainVocabulary learns one vocabulary for both languages.
func trainVocabulary(o TokenizerRecipe, pairs *corpus.Pairs, threads int) (*tokenizer.Tokenizer, error) {
	pattern := tokenizer.Spaces
	if o.Pattern == "gpt2" {
		pattern = tokenizer.GPT2
	}
	texts := func(yield func(string) bool) {
		for _, side := range [][]string{pairs.Source, pairs.Target} {
			for _, s := range side {
				if !yield(s) {
					return
				}
			}
		}
	}
	return tokenizer.Train(texts, tokenizer.TrainOptions{
		VocabSize: o.Vocab, MinFrequency: o.MinFrequency, Pattern: pattern, InitialAlphabet: true, Threads: threads,
		SpecialTokens: []string{eosToken, unknownToken}, LastTokens: []string{padToken}, Suffix: []string{eosToken},
	})
}

// beginEpoch prepares the batches of an epoch; with dropout, every sentence is cut into tokens anew, by random numbers
// that depend on seed, epoch and sentence alone.
func (t *translation) beginEpoch(pool *kernel.Pool, epoch int, seed uint64, dropout float64) {
	if dropout > 0 {
		t.train.encode(pool, dropout, seed, epoch)
	}
	t.batches.Epoch(epoch)
}

// size returns the sentences and target tokens of a batch of this epoch, and the passes that it takes at about micro
// tokens each.
func (t *translation) size(batch, micro int) (sentences, tokens, passes int) {
	pairs := t.batches.Batch(batch)
	source := 0
	for _, i := range pairs {
		source += int(t.train.sourceLen[i])
		tokens += int(t.train.targetLen[i])
	}
	return len(pairs), tokens, (max(source, tokens) + micro - 1) / micro
}

// forward computes scale times the summed loss of one of a batch's passes on a tape that has begun.
func (t *translation) forward(tape *grad.Tape, batch, pass, passes int, scale float64) float64 {
	pairs := t.batches.Batch(batch)
	t.fill(t.train, pairs[t.train.border(pairs, pass, passes):t.train.border(pairs, pass+1, passes)])
	if t.batch.TargetStarts.Len() == 0 {
		return 0
	}
	return t.model.Loss(tape, &t.batch, float32(t.recipe.LabelSmoothing), float32(scale), nil)
}

// border returns where a part begins when pairs are cut into parts of nearly equal numbers of tokens.
func (e *encodedPairs) border(pairs []int32, part, parts int) int {
	total := 0
	for _, i := range pairs {
		total += int(e.sourceLen[i] + e.targetLen[i])
	}
	before := 0
	for at, i := range pairs {
		if before*parts >= part*total {
			return at
		}
		before += int(e.sourceLen[i] + e.targetLen[i])
	}
	return len(pairs)
}

func (t *translation) fill(e *encodedPairs, pairs []int32) {
	t.batch.Reset()
	for _, i := range pairs {
		source, target := e.pair(int(i))
		t.batch.Add(source, target, t.model.Config.DecoderStartID)
	}
}

// validationLoss returns the mean of −log p over the target tokens of the validation pairs, sentences beyond the
// model's context left out.
func (t *translation) validationLoss(tape *grad.Tape, budget int) float64 {
	sum, tokens := 0.0, 0
	e := t.valid
	for from := 0; from < e.len(); {
		t.batch.Reset()
		for from < e.len() {
			source, target := e.pair(from)
			if full := len(t.batch.Target) > 0 && max(len(t.batch.Source)+len(source), len(t.batch.Target)+len(target)) > budget; full {
				break
			}
			from++
			if max(len(source), len(target)) <= e.longest {
				t.batch.Add(source, target, t.model.Config.DecoderStartID)
			}
		}
		rows := len(t.batch.Target)
		if rows == 0 {
			continue
		}
		t.nll = slices.Grow(t.nll[:0], rows)[:rows]
		tape.Begin(grad.Mode{})
		t.model.Loss(tape, &t.batch, 0, 1, t.nll)
		for _, x := range t.nll {
			sum += float64(x)
		}
		tokens += rows
	}
	return sum / float64(max(1, tokens))
}

// encodedPairs holds sentence pairs as token ids, each sentence ended by </s>, in a few large slabs.
type encodedPairs struct {
	tok                  *tokenizer.Tokenizer
	eos                  int32
	pairs                *corpus.Pairs
	longest              int
	sourceLen, targetLen []int32 // in tokens
	shards               []shard
	shardPairs           int // pairs in each shard but the last

	dropout float64 // of the encoding in progress, as are seed and epoch
	seed    uint64
	epoch   int
}

// shard holds some successive pairs: source i and target i lie in ids from starts[2i] and starts[2i+1] on.
type shard struct {
	ids    []int32
	starts []int32
	pcg    rand.PCG
	rng    *rand.Rand
}

func newEncodedPairs(tok *tokenizer.Tokenizer, eos int32, pairs *corpus.Pairs, longest int, pool *kernel.Pool) *encodedPairs {
	const shards = 16
	e := &encodedPairs{
		tok: tok, eos: eos, pairs: pairs, longest: longest,
		sourceLen: make([]int32, pairs.Len()), targetLen: make([]int32, pairs.Len()),
		shards: make([]shard, shards), shardPairs: (pairs.Len() + shards - 1) / shards,
	}
	for i := range e.shards {
		e.shards[i].rng = rand.New(&e.shards[i].pcg)
	}
	e.encode(pool, 0, 0, 0)
	return e
}

// encode cuts all sentences into tokens.
func (e *encodedPairs) encode(pool *kernel.Pool, dropout float64, seed uint64, epoch int) {
	e.dropout, e.seed, e.epoch = dropout, seed, epoch
	pool.Run(len(e.shards), e)
}

// Do encodes one shard; it makes encodedPairs a [kernel.Task].
func (e *encodedPairs) Do(_, item int) {
	s := &e.shards[item]
	s.ids, s.starts = s.ids[:0], append(s.starts[:0], 0)
	for i := item * e.shardPairs; i < min((item+1)*e.shardPairs, e.pairs.Len()); i++ {
		e.sourceLen[i] = e.append(s, e.pairs.Source[i], 2*i)
		e.targetLen[i] = e.append(s, e.pairs.Target[i], 2*i+1)
	}
}

// append adds a sentence to a shard and returns its length. Dropout makes sentences longer; one that it would make too
// long is cut without.
func (e *encodedPairs) append(s *shard, text string, key int) int32 {
	from := len(s.ids)
	if e.dropout > 0 {
		s.pcg.Seed(e.seed^uint64(e.epoch)<<40, uint64(key))
		s.ids = append(e.tok.AppendDropout(s.ids, text, e.dropout, s.rng), e.eos)
	}
	if n := len(s.ids) - from; n == 0 || n > e.longest {
		s.ids = append(e.tok.Append(s.ids[:from], text), e.eos)
	}
	s.starts = append(s.starts, int32(len(s.ids)))
	return int32(len(s.ids) - from)
}

func (e *encodedPairs) len() int { return e.pairs.Len() }

// pair returns the ids of pair i; valid until the next encode.
func (e *encodedPairs) pair(i int) (source, target []int32) {
	s := &e.shards[i/e.shardPairs]
	at := s.starts[2*(i%e.shardPairs):]
	return s.ids[at[0]:at[1]], s.ids[at[1]:at[2]]
}
