package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// TrainOptions says what vocabulary to learn.
type TrainOptions struct {
	// VocabSize is the number of tokens of every kind. The vocabulary is smaller when
	// the text has no more pairs to merge.
	VocabSize int
	// MinFrequency is how often a pair must occur to be merged; 0 means once.
	MinFrequency int
	// Pattern cuts the text into words.
	Pattern Pattern
	// SpecialTokens take the first ids, LastTokens (special too) the last ones: a
	// model converter may want <pad> last. No merge makes them.
	SpecialTokens, LastTokens []string
	// InitialAlphabet gives every byte a token, so that any text can be encoded; else
	// only bytes that the text holds get one, and others are lost in encoding.
	InitialAlphabet bool
	// Suffix names special tokens that EncodeSpecial puts after a text, such as </s>.
	Suffix []string
	// Threads count words; 0 means as many as the processor runs. The result is the
	// same for any number.
	Threads int
}

// Train learns a byte-level BPE vocabulary from texts. Each step merges the pair of
// neighbouring tokens that occurs most often inside words, of equals the one with the
// smallest left id, then right id; occurrences are counted with overlap (a a a holds
// a a twice) and merged from the left. This is exactly what the BpeTrainer of
// Hugging Face tokenizers learns.
func Train(texts iter.Seq[string], o TrainOptions) (*Tokenizer, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	threads := o.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	l, err := newLearner(countWords(texts, newSplitter(o.Pattern), threads), o)
	if err != nil {
		return nil, err
	}
	l.learn(o.VocabSize-len(o.LastTokens), int64(max(o.MinFrequency, 1)))
	f, err := l.file(o)
	if err != nil {
		return nil, err
	}
	return f.tokenizer()
}

func (o *TrainOptions) check() error {
	if o.Pattern != GPT2 && o.Pattern != Spaces {
		return fmt.Errorf("training a tokenizer: pattern %d is not known", o.Pattern)
	}
	named := map[string]bool{}
	for _, s := range slices.Concat(o.SpecialTokens, o.LastTokens) {
		switch {
		case s == "":
			return errors.New("training a tokenizer: a special token is empty")
		case named[s]:
			return fmt.Errorf("training a tokenizer: the special token %q is named twice", s)
		case len([]rune(s)) == 1 && len(unspell(s)) == 1:
			return fmt.Errorf("training a tokenizer: the special token %q is already the token of a byte", s)
		}
		named[s] = true
	}
	for _, s := range o.Suffix {
		if !named[s] {
			return fmt.Errorf("training a tokenizer: the suffix %q is not among the special tokens", s)
		}
	}
	return nil
}

// learner holds the words of a text, each once, as cells in one long row: a token
// that covers n bytes has its id in the first and the last of n cells, and nothing
// (noToken) in those between; words are kept apart by an empty cell. So the
// neighbours of a token are found without links, and a place once noted for a pair
// is checked by looking at it.
type learner struct {
	cells  []int32
	weight []int32 // by cell: index in times
	times  []int64

	tokens []string        // by id, as bytes
	banned map[string]bool // special tokens, as bytes
	merges []mergePair     // as bytes

	pairs   pairIndex
	places  []place
	queue   heap[pairCount]
	changed []int32 // pairs that came up in this step
}

// pairStat is a pair of neighbouring tokens, how often it occurs, and where: a list
// in places that may hold outdated ones.
type pairStat struct {
	left, right int32
	count       int64
	head, tail  int32 // noToken where the list is empty
	queued      bool  // is in changed
}

type place struct{ cell, next int32 }

// pairCount is a pair waiting in the queue with the count that it had then.
type pairCount struct {
	count int64
	pair  uint64
	index int32
}

//lint:ignore U1000 heap calls it
func (p pairCount) before(q pairCount) bool {
	return p.count > q.count || p.count == q.count && p.pair < q.pair
}

// maxCells keeps cell and place numbers within int32.
const maxCells = 1 << 29

func newLearner(c *wordCounts, o TrainOptions) (*learner, error) {
	l := &learner{times: c.times, banned: map[string]bool{}}
	for _, s := range slices.Concat(o.SpecialTokens, o.LastTokens) {
		l.banned[unspell(s)] = true
	}
	l.tokens = append(l.tokens, o.SpecialTokens...)
	size := 1
	var seen [256]bool
	for _, w := range c.words {
		size += len(w) + 1
		for i := range len(w) {
			seen[w[i]] = true
		}
	}
	if size > maxCells {
		return nil, fmt.Errorf("training a tokenizer: the distinct words hold %d bytes, more than %d; use a part of the text", size, maxCells)
	}
	byteID := l.alphabet(&seen, o.InitialAlphabet)
	if n := len(l.tokens) + len(o.LastTokens); n > o.VocabSize {
		return nil, fmt.Errorf("training a tokenizer: a vocabulary of %d cannot hold the %d bytes and special tokens", o.VocabSize, n)
	}
	l.cells = make([]int32, 1, size)
	l.weight = make([]int32, 1, size)
	l.cells[0] = noToken
	for i, w := range c.words {
		for k := range len(w) {
			l.cells = append(l.cells, byteID[w[k]])
			l.weight = append(l.weight, int32(i))
		}
		l.cells = append(l.cells, noToken)
		l.weight = append(l.weight, 0)
	}
	l.countPairs()
	return l, nil
}

// alphabet makes the tokens of single bytes, in the order of their characters.
func (l *learner) alphabet(seen *[256]bool, all bool) (byteID [256]int32) {
	order := make([]byte, 0, 256)
	for b := range 256 {
		if all || seen[b] {
			order = append(order, byte(b))
		}
	}
	slices.SortFunc(order, func(a, b byte) int { return cmp.Compare(byteRunes[a], byteRunes[b]) })
	for _, b := range order {
		byteID[b] = int32(len(l.tokens))
		l.tokens = append(l.tokens, string([]byte{b}))
	}
	return byteID
}

// countPairs notes every pair of neighbours of the words as they are at the beginning.
func (l *learner) countPairs() {
	l.pairs = newPairIndex()
	l.places = make([]place, 0, 2*len(l.cells))
	for i := 1; i+1 < len(l.cells); i++ {
		if l.cells[i] >= 0 && l.cells[i+1] >= 0 {
			l.note(l.cells[i], l.cells[i+1], int32(i), l.times[l.weight[i]])
		}
	}
}

// note adds an occurrence of a pair.
func (l *learner) note(left, right, cell int32, times int64) {
	i := l.pairs.get(left, right)
	p := &l.pairs.stats[i]
	p.count += times
	at := int32(len(l.places))
	l.places = append(l.places, place{cell, noToken})
	if p.head == noToken {
		p.head = at
	} else {
		l.places[p.tail].next = at
	}
	p.tail = at
	if !p.queued {
		p.queued = true
		l.changed = append(l.changed, i)
	}
}

// learn merges pairs until there are size tokens or no pair occurs least times.
func (l *learner) learn(size int, least int64) {
	l.enqueue(least)
	for len(l.tokens) < size && len(l.queue) > 0 {
		top := l.queue.pop()
		p := &l.pairs.stats[top.index]
		if p.count != top.count {
			if p.count >= least {
				l.queue.push(pairCount{p.count, top.pair, top.index})
			}
			continue
		}
		whole := l.tokens[p.left] + l.tokens[p.right]
		if l.banned[whole] {
			continue
		}
		l.merges = append(l.merges, mergePair{l.tokens[p.left], l.tokens[p.right]})
		l.tokens = append(l.tokens, whole)
		l.merge(top.index, int32(len(l.tokens)-1))
		l.enqueue(least)
	}
}

// enqueue puts the pairs that came up since it was last called into the queue.
func (l *learner) enqueue(least int64) {
	for _, i := range l.changed {
		p := &l.pairs.stats[i]
		p.queued = false
		if p.count >= least {
			l.queue.push(pairCount{p.count, pairOf(p.left, p.right), i})
		}
	}
	l.changed = l.changed[:0]
}

// merge replaces every occurrence of a pair by the token id. The places of a pair are
// in ascending order, since all arise in the one step that makes its younger token (no
// two pairs ever make the same token: the earlier leaves the later no place), so that
// a run of equal tokens is merged from the left.
func (l *learner) merge(index, id int32) {
	left, right, at := l.pairs.stats[index].left, l.pairs.stats[index].right, l.pairs.stats[index].head
	nleft, nright := int32(len(l.tokens[left])), int32(len(l.tokens[right]))
	for ; at != noToken; at = l.places[at].next {
		cell := l.places[at].cell
		second, end := cell+nleft, cell+nleft+nright
		if l.cells[cell] != left || l.cells[second] != right {
			continue
		}
		times := l.times[l.weight[cell]]
		before, after := l.cells[cell-1], l.cells[end]
		l.cells[second-1], l.cells[second] = noToken, noToken
		l.cells[cell], l.cells[end-1] = id, id
		if before >= 0 {
			l.pairs.drop(before, left, times)
			l.note(before, id, cell-int32(len(l.tokens[before])), times)
		}
		if after >= 0 {
			l.pairs.drop(right, after, times)
			l.note(id, after, cell, times)
		}
	}
	l.pairs.stats[index].count = 0
}

// file describes the learnt tokenizer as tokenizer.json does.
func (l *learner) file(o TrainOptions) (*file, error) {
	f := &file{
		PreTokenizer: jsontext.Value(`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`),
		Decoder:      jsontext.Value(`{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}`),
		bpe:          &bpeFile{Type: "BPE"},
	}
	if o.Pattern == Spaces {
		f.PreTokenizer = jsontext.Value(`{"type":"Sequence","pretokenizers":[` +
			`{"type":"Split","pattern":{"Regex":" ?\\S+|\\s+"},"behavior":"Isolated","invert":false},` +
			`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}`)
	}
	for i, token := range slices.Concat(l.tokens, o.LastTokens) {
		special := i < len(o.SpecialTokens) || i >= len(l.tokens)
		if special {
			f.AddedTokens = append(f.AddedTokens, addedFile{ID: int32(i), Content: token, Special: true})
		} else {
			token = spell(token)
		}
		f.bpe.Vocab = append(f.bpe.Vocab, vocabEntry{token, int32(i)})
	}
	for _, m := range l.merges {
		f.bpe.Merges = append(f.bpe.Merges, mergePair{spell(m.left), spell(m.right)})
	}
	if len(o.Suffix) > 0 {
		post, err := json.Marshal(f.template(nil, o.Suffix), json.Deterministic(true))
		if err != nil {
			return nil, fmt.Errorf("training a tokenizer: %w", err)
		}
		f.PostProcessor = post
	}
	return f, nil
}

// pairIndex finds the statistics of a pair: flat open addressing that grows.
type pairIndex struct {
	slots []int32 // index in stats plus one; 0 where empty
	stats []pairStat
	shift uint
}

func newPairIndex() pairIndex {
	return pairIndex{slots: make([]int32, 1<<12), shift: 64 - 12}
}

// get returns the index of a pair, a new one if need be.
func (x *pairIndex) get(left, right int32) int32 {
	if 2*len(x.stats) >= len(x.slots) {
		x.grow()
	}
	at := x.find(left, right)
	if x.slots[at] == 0 {
		x.stats = append(x.stats, pairStat{left: left, right: right, head: noToken, tail: noToken})
		x.slots[at] = int32(len(x.stats))
	}
	return x.slots[at] - 1
}

// drop takes occurrences away from a pair that has some.
func (x *pairIndex) drop(left, right int32, times int64) {
	x.stats[x.slots[x.find(left, right)]-1].count -= times
}

// find returns the slot of a pair, or the empty one where it belongs.
func (x *pairIndex) find(left, right int32) uint64 {
	mask := uint64(len(x.slots) - 1)
	for at := hashPair(pairOf(left, right)) >> x.shift; ; at = (at + 1) & mask {
		i := x.slots[at]
		if i == 0 || x.stats[i-1].left == left && x.stats[i-1].right == right {
			return at
		}
	}
}

func (x *pairIndex) grow() {
	x.slots = make([]int32, 2*len(x.slots))
	x.shift--
	for i := range x.stats {
		x.slots[x.find(x.stats[i].left, x.stats[i].right)] = int32(i) + 1
	}
}
