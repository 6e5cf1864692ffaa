package train

import (
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/internal/kernel"
)

// sequences are token sequences in groups, each group one element of a batch: a text to be classified, all answers to a
// prompt.
type sequences struct {
	ids    [][]int32 // all sequences
	starts []int32   // group i is ids[starts[i]:starts[i+1]]
	tokens []int32   // of each group
}

// encodeGroups makes the sequences of groups of the given sizes, on all threads: encode appends those of sequence i.
func encodeGroups(pool *kernel.Pool, sizes []int32, encode func(dst []int32, i int) []int32) *sequences {
	s := &sequences{starts: make([]int32, 1, len(sizes)+1), tokens: make([]int32, len(sizes))}
	for _, n := range sizes {
		s.starts = append(s.starts, s.starts[len(s.starts)-1]+n)
	}
	s.ids = make([][]int32, s.starts[len(sizes)])
	pool.Run((len(s.ids)+encodeChunk-1)/encodeChunk, &encodeTask{s.ids, encode})
	for i := range sizes {
		for _, ids := range s.group(i) {
			s.tokens[i] += int32(len(ids))
		}
	}
	return s
}

// encodeChunk is how many sequences a thread encodes at a time.
const encodeChunk = 64

type encodeTask struct {
	ids    [][]int32
	encode func(dst []int32, i int) []int32
}

// Do encodes a chunk.
func (t *encodeTask) Do(_, item int) {
	for i := item * encodeChunk; i < min((item+1)*encodeChunk, len(t.ids)); i++ {
		t.ids[i] = t.encode(nil, i)
	}
}

func (s *sequences) len() int { return len(s.tokens) }

// group returns the sequences of a group.
func (s *sequences) group(i int) [][]int32 { return s.ids[s.starts[i]:s.starts[i+1]] }

// total returns the number of tokens.
func (s *sequences) total() int64 {
	sum := int64(0)
	for _, n := range s.tokens {
		sum += int64(n)
	}
	return sum
}

// shuffled is the order of groups in training.
type shuffled struct {
	*sequences
	batches *corpus.Batches
	micro   int
}

// newShuffled cuts epochs into batches of about so many tokens, each in passes of about micro; a group that is larger is a
// batch by itself.
func newShuffled(s *sequences, batch, micro int, seed uint64) (*shuffled, error) {
	lengths := make([]int32, s.len())
	for i, n := range s.tokens {
		lengths[i] = min(n, int32(batch))
	}
	b, err := corpus.NewBatches(lengths, lengths, batch, 0, seed)
	return &shuffled{s, b, micro}, err
}

// size returns a batch's groups and tokens, and in how many passes it is computed.
func (s *shuffled) size(batch int) (groups, tokens, passes int) {
	list := s.batches.Batch(batch)
	for _, i := range list {
		tokens += int(s.tokens[i])
	}
	return len(list), tokens, min(len(list), (tokens+s.micro-1)/s.micro)
}

// part returns the groups of one of a batch's passes, which have nearly equal numbers of tokens.
func (s *shuffled) part(batch, pass, passes int) []int32 {
	list := s.batches.Batch(batch)
	tokens := func(i int32) int { return int(s.tokens[i]) }
	return list[border(list, tokens, pass, passes):border(list, tokens, pass+1, passes)]
}

// border returns where in a list the given one of its parts begins, which have nearly equal sums of sizes.
func border(list []int32, size func(i int32) int, part, parts int) int {
	total := 0
	for _, i := range list {
		total += size(i)
	}
	before := 0
	for at, i := range list {
		if before*parts >= part*total {
			return at
		}
		before += size(i)
	}
	return len(list)
}
