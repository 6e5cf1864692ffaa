package decode

import (
	"context"
	"fmt"
	"math"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// Translator decodes many sources at once with one model. A source that has ended leaves the batch and another one takes
// its place. It serves one goroutine; several Translators can share a model whose parameters do not change.
type Translator struct {
	model   *model.EncDec
	tape    grad.Tape
	cache   *model.EncDecCache
	options Options

	running []*search
	spare   []*search
	rows    []model.Row
	pick    pick
	sources [][]int32
	indices []int
	read    []*nn.Sequence
}

// NewTranslator returns a Translator that computes on pool. If the model's parameters will not change for as long as it is
// used, pack them first (nn.Store.Pack): that is faster.
func NewTranslator(m *model.EncDec, pool *kernel.Pool, o Options) (*Translator, error) {
	o, err := o.normal()
	if err != nil {
		return nil, err
	}
	return &Translator{model: m, tape: grad.Tape{Pool: pool}, cache: m.NewCache(), options: o}, nil
}

// Supply is the answer of a Source.
type Supply uint8

const (
	// Ready comes with the ids of a source.
	Ready Supply = iota
	// Later says that there is no source at the moment. It is only a possible answer when not waiting.
	Later
	// Done says that there are no more.
	Done
)

// Source hands out the sources one after the other, ids with EOS at the end. If wait is false and there is none at the
// moment it answers Later, so that the others go on.
type Source func(wait bool) (ids []int32, s Supply)

// Run decodes sources until there are no more and hands every result to emit together with the source's number, in the
// order in which they end. It returns the error of ctx or of emit.
func (t *Translator) Run(ctx context.Context, next Source, emit func(index int, r Result) error) error {
	defer t.abandon()
	count, done := 0, false
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !done && t.room() {
			var err error
			if done, err = t.admit(&count, next, emit); err != nil {
				return err
			}
		}
		if len(t.running) == 0 {
			if done {
				return nil
			}
			continue
		}
		if err := t.step(emit); err != nil {
			return err
		}
	}
}

// All decodes the sources and returns their results in the same order.
func (t *Translator) All(ctx context.Context, sources [][]int32) ([]Result, error) {
	results, at := make([]Result, len(sources)), 0
	err := t.Run(ctx, func(bool) ([]int32, Supply) {
		if at == len(sources) {
			return nil, Done
		}
		at++
		return sources[at-1], Ready
	}, func(i int, r Result) error {
		results[i] = r
		return nil
	})
	return results, err
}

// room reports whether to look for new sources: when a quarter of the places is free, so that the encoder has company.
func (t *Translator) room() bool {
	places := t.options.Rows / t.options.Beams
	return len(t.running) <= places-max(1, places/4)
}

// admit fills the free places and runs the encoder over the new sources.
func (t *Translator) admit(count *int, next Source, emit func(int, Result) error) (done bool, err error) {
	t.sources, t.indices = t.sources[:0], t.indices[:0]
	for len(t.running)+len(t.sources) < t.options.Rows/t.options.Beams {
		ids, supply := next(len(t.running)+len(t.sources) == 0)
		if supply != Ready {
			done = supply == Done
			break
		}
		index := *count
		*count++
		if err := t.check(ids); err != nil {
			if err := emit(index, Result{Err: err}); err != nil {
				return false, err
			}
			continue
		}
		t.sources, t.indices = append(t.sources, ids), append(t.indices, index)
	}
	if len(t.sources) == 0 {
		return done, nil
	}
	t.read = t.model.Read(&t.tape, t.cache, t.sources, t.read[:0])
	for i, source := range t.read {
		s := t.newSearch()
		s.reset(t.indices[i], source, t.cache.Targets.New(), t.model.Config.DecoderStartID, t.options.limit(len(t.sources[i]), t.model.Config))
		t.running = append(t.running, s)
	}
	return done, nil
}

func (t *Translator) check(ids []int32) error {
	if len(ids) == 0 {
		return fmt.Errorf("the source has no tokens")
	}
	if len(ids) > t.model.Config.MaxPositions {
		return fmt.Errorf("the source has %d tokens, the model reads at most %d; split it", len(ids), t.model.Config.MaxPositions)
	}
	for _, id := range ids {
		if id < 0 || int(id) >= t.model.Config.VocabSize {
			return fmt.Errorf("token id %d is not in the model's vocabulary of %d", id, t.model.Config.VocabSize)
		}
	}
	return nil
}

func (t *Translator) newSearch() *search {
	if n := len(t.spare); n > 0 {
		s := t.spare[n-1]
		t.spare = t.spare[:n-1]
		return s
	}
	return new(search)
}

// step feeds every running hypothesis its last token, and lets every search go on.
func (t *Translator) step(emit func(int, Result) error) error {
	t.rows = t.rows[:0]
	for _, s := range t.running {
		for _, b := range s.beams {
			t.rows = append(t.rows, model.Row{Token: b.token, Target: b.target, Source: s.source})
		}
	}
	logits := t.model.Step(&t.tape, t.cache, t.rows)
	t.pick.run(t.tape.Pool, logits, t.running, t.options, t.model.Config)
	kept := t.running[:0]
	var failed error
	for i, s := range t.running {
		if s.advance(t.pick.of(i), t.options, t.model.Config.EOSID, t.cache.Targets) {
			kept = append(kept, s)
			continue
		}
		if failed == nil {
			failed = emit(s.index, t.result(s))
		}
		t.cache.Sources.Drop(s.source)
		t.spare = append(t.spare, s)
	}
	t.running = kept
	return failed
}

func (t *Translator) result(s *search) Result {
	if len(s.finished) == 0 {
		return Result{Err: fmt.Errorf("the model's logits are not numbers; its weights are damaged")}
	}
	return Result{Hypotheses: s.hypotheses(t.options)}
}

// abandon gives back what the searches hold that a failed or cancelled run leaves behind.
func (t *Translator) abandon() {
	for _, s := range t.running {
		for _, b := range s.beams {
			t.cache.Targets.Drop(b.target)
		}
		t.cache.Sources.Drop(s.source)
		t.spare = append(t.spare, s)
	}
	t.running = t.running[:0]
}

// pick finds the best continuations of every search; the work on a row is a task of the pool.
type pick struct {
	logits  kernel.Mat
	first   []int // the first row of each search, and the number of rows at the end
	owner   []int // the search of each row
	running []*search
	options Options
	config  model.EncDecConfig

	index  []int32 // width best of each row
	value  []float32
	lse    []float32
	width  int
	sorted []candidate
	bounds []int // of each search's candidates in sorted
}

func (p *pick) run(pool *kernel.Pool, logits kernel.Mat, running []*search, o Options, c model.EncDecConfig) {
	p.logits, p.running, p.options, p.config = logits, running, o, c
	p.first, p.owner = p.first[:0], p.owner[:0]
	for i, s := range running {
		p.first = append(p.first, len(p.owner))
		for range s.beams {
			p.owner = append(p.owner, i)
		}
	}
	p.first = append(p.first, len(p.owner))
	p.width = 1
	if o.Beams > 1 {
		p.width = min(2*o.Beams, logits.Cols)
	}
	p.index = grow(p.index, len(p.owner)*p.width)
	p.value = grow(p.value, len(p.owner)*p.width)
	p.lse = grow(p.lse, len(p.owner))
	pool.Run(len(p.owner), p)
	p.merge()
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// Do finds the best continuations of one row.
func (p *pick) Do(_, row int) {
	logits := p.logits.Row(row)
	s := p.running[p.owner[row]]
	index, value := p.index[row*p.width:][:p.width], p.value[row*p.width:][:p.width]
	logits[p.config.PadID] = float32(math.Inf(-1))
	if s.length+1 >= s.limit { // EOS is forced, with probability 1
		for i := range index {
			index[i], value[i] = p.config.ForcedEOSID, float32(math.Inf(-1))
		}
		value[0], p.lse[row] = 0, 0
		return
	}
	if p.width == 1 {
		i, v := kernel.MaxIndex(logits)
		index[0], value[0] = int32(i), v
	} else {
		kernel.TopK(logits, index, value)
	}
	p.lse[row] = 0
	if p.options.scored() {
		p.lse[row] = kernel.LogSumExp(logits)
	}
}

// merge sorts the continuations of each search's rows into one list, best first, of at most 2·beams.
func (p *pick) merge() {
	p.sorted, p.bounds = p.sorted[:0], append(p.bounds[:0], 0)
	for i, s := range p.running {
		from := len(p.sorted)
		for b := range s.beams {
			row := p.first[i] + b
			for j, id := range p.index[row*p.width:][:p.width] {
				v := p.value[row*p.width+j]
				c := candidate{b, id, s.beams[b].logProb + float64(v-p.lse[row])}
				if math.IsNaN(c.logProb) {
					continue
				}
				p.insert(from, c)
			}
		}
		p.bounds = append(p.bounds, len(p.sorted))
	}
}

// insert puts c in its place among the candidates from from on, if it is good enough; of equals the earlier stays first.
func (p *pick) insert(from int, c candidate) {
	at := len(p.sorted)
	for at > from && p.sorted[at-1].logProb < c.logProb {
		at--
	}
	if at-from >= p.width {
		return
	}
	if len(p.sorted)-from < p.width {
		p.sorted = append(p.sorted, candidate{})
	}
	copy(p.sorted[at+1:], p.sorted[at:])
	p.sorted[at] = c
}

// of returns the candidates of a search, best first.
func (p *pick) of(i int) []candidate { return p.sorted[p.bounds[i]:p.bounds[i+1]] }
