package decode

import (
	"fmt"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// lane is a batch of running searches with a cache of its own. A source that has ended leaves it, and another one takes its
// place.
type lane struct {
	model   *model.EncDec
	tape    grad.Tape
	cache   *model.EncDecCache
	options Options
	rules   rules
	own     *kernel.Pool // of one thread, for when the lane runs beside others

	running []*search
	spare   []*search
	rows    []model.Row
	pick    pick
	sources [][]int32
	indices []int
	read    []*nn.Sequence
}

func newLane(m *model.EncDec, o Options) *lane {
	r := rules{ends: []int32{m.Config.EOSID}, banned: m.Config.PadID, forced: m.Config.Forced()}
	return &lane{model: m, cache: m.NewCache(), options: o, rules: r, own: kernel.NewPool(1)}
}

// places is how many sources can run at once.
func (l *lane) places() int { return l.options.Rows / l.options.Beams }

// room reports whether to look for new sources: when a quarter of the places is free, so that the encoder has company.
func (l *lane) room() bool { return len(l.running) <= l.places()-max(1, l.places()/4) }

// admit fills the free places and runs the encoder over the new sources. If wait is true and nothing runs here, it waits
// for the first of them.
func (l *lane) admit(f *feed, wait bool) {
	l.sources, l.indices = l.sources[:0], l.indices[:0]
	for len(l.running)+len(l.sources) < l.places() {
		ids, index, ok := f.take(wait && len(l.running)+len(l.sources) == 0)
		if !ok {
			break
		}
		if err := l.check(ids); err != nil {
			f.give(index, Result{Err: err})
			continue
		}
		l.sources, l.indices = append(l.sources, ids), append(l.indices, index)
	}
	if len(l.sources) == 0 {
		return
	}
	l.read = l.model.Read(&l.tape, l.cache, l.sources, l.read[:0])
	for i, source := range l.read {
		s := l.newSearch()
		s.reset(l.indices[i], source, l.cache.Targets.New(), l.model.Config.DecoderStartID, l.options.limit(len(l.sources[i]), l.model.Config))
		l.running = append(l.running, s)
	}
}

func (l *lane) check(ids []int32) error {
	if len(ids) == 0 {
		return fmt.Errorf("the source has no tokens")
	}
	if len(ids) > l.model.Config.MaxPositions {
		return fmt.Errorf("the source has %d tokens, the model reads at most %d; split it", len(ids), l.model.Config.MaxPositions)
	}
	for _, id := range ids {
		if id < 0 || int(id) >= l.model.Config.VocabSize {
			return fmt.Errorf("token id %d is not in the model's vocabulary of %d", id, l.model.Config.VocabSize)
		}
	}
	return nil
}

func (l *lane) newSearch() *search {
	if n := len(l.spare); n > 0 {
		s := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return s
	}
	return new(search)
}

// step feeds every running hypothesis its last token, and lets every search go on.
func (l *lane) step(f *feed) {
	l.rows = l.rows[:0]
	for _, s := range l.running {
		for _, b := range s.beams {
			l.rows = append(l.rows, model.Row{Token: b.token, Target: b.target, Source: s.source})
		}
	}
	logits := l.model.Step(&l.tape, l.cache, l.rows)
	l.pick.run(l.tape.Pool, logits, l.running, l.options, l.rules)
	kept := l.running[:0]
	for i, s := range l.running {
		if s.advance(l.pick.of(i), l.options, l.rules.ends, l.cache.Targets) {
			kept = append(kept, s)
			continue
		}
		f.give(s.index, s.result(l.options))
		l.cache.Sources.Drop(s.source)
		l.spare = append(l.spare, s)
	}
	l.running = kept
}

// abandon gives back what the searches hold that a failed or cancelled run leaves behind.
func (l *lane) abandon() {
	for _, s := range l.running {
		for _, b := range s.beams {
			l.cache.Targets.Drop(b.target)
		}
		l.cache.Sources.Drop(s.source)
		l.spare = append(l.spare, s)
	}
	l.running = l.running[:0]
}
