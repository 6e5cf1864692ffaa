package train

import (
	"math/rand/v2"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/tokenizer"
)

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

// tokens returns how many tokens both sides have.
func (e *encodedPairs) tokens() (source, target int) {
	for i := range e.sourceLen {
		source += int(e.sourceLen[i])
		target += int(e.targetLen[i])
	}
	return source, target
}

// pairTokens returns the tokens of a pair, on both sides.
func (e *encodedPairs) pairTokens(pair int32) int { return int(e.sourceLen[pair] + e.targetLen[pair]) }
