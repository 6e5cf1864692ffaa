package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/hub"
)

// dialogues are a set of them as tokens, end to end.
type dialogues struct {
	read    []*corpus.Dialogue
	ids     []int32
	said    []bool // by the assistant
	starts  []int
	lengths []int32 // rows of each: tokens but the last
	learned []int32 // tokens of each that the assistant says
}

func (s *dialogues) len() int { return len(s.lengths) }

// at returns the tokens of a dialogue.
func (s *dialogues) at(i int) (ids []int32, said []bool) {
	from, to := s.starts[i], s.starts[i]+int(s.lengths[i])+1
	return s.ids[from:to], s.said[from:to]
}

func (s *dialogues) add(d *corpus.Dialogue, ids []int32, said []bool) {
	learned := int32(0)
	for _, one := range said {
		if one {
			learned++
		}
	}
	s.read, s.starts = append(s.read, d), append(s.starts, len(s.ids))
	s.ids, s.said = append(s.ids, ids...), append(s.said, said...)
	s.lengths, s.learned = append(s.lengths, int32(len(ids)-1)), append(s.learned, learned)
}

// total returns the number of rows.
func (s *dialogues) total() int64 {
	sum := int64(0)
	for _, n := range s.lengths {
		sum += int64(n)
	}
	return sum
}

// checksum is a hash of all tokens and of what is learned of them.
func (s *dialogues) checksum() string {
	sum := sha256.New()
	var b []byte
	for i := range s.len() {
		ids, said := s.at(i)
		b = binary.LittleEndian.AppendUint32(b[:0], uint32(len(ids)))
		for n, id := range ids {
			b = binary.LittleEndian.AppendUint32(b, uint32(id)<<1|map[bool]uint32{true: 1}[said[n]])
		}
		sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// leftOut are the dialogues that cannot be learned from.
type leftOut struct {
	lines []string       // "FILE:LINE: why"
	count map[string]int // by kind
	first map[string]string
	kinds []string // in the order in which they came up
}

func (l *leftOut) add(d *corpus.Dialogue, kind string, why error) {
	l.lines = append(l.lines, d.Where()+": "+why.Error())
	if l.count == nil {
		l.count, l.first = map[string]int{}, map[string]string{}
	}
	if l.count[kind]++; l.count[kind] == 1 {
		l.kinds, l.first[kind] = append(l.kinds, kind), l.lines[len(l.lines)-1]
	}
}

// leftOutFile names, in a run's directory, every dialogue that is left out.
const leftOutFile = "left-out.txt"

// readDialogues reads and encodes the dialogues to train on and those to validate with.
func (d *dialogue) readDialogues(ctx context.Context) error {
	data := &d.recipe.Data
	all, err := d.dialoguesOf(ctx, "data.train", data.Train)
	if err != nil {
		return err
	}
	var out leftOut
	train, valid := all, []*corpus.Dialogue(nil)
	if len(data.Validation) > 0 {
		if valid, err = d.dialoguesOf(ctx, "data.validation", data.Validation); err != nil {
			return err
		}
	} else {
		train, valid = d.holdOut(all)
	}
	total := len(train) + len(valid)
	if d.train, err = d.encode(ctx, train, &out); err != nil {
		return err
	}
	if d.valid, err = d.encode(ctx, valid, &out); err != nil {
		return err
	}
	if err := d.tellLeftOut(&out, total); err != nil {
		return err
	}
	switch {
	case d.train.len() == 0 && d.valid.len() > 0 && len(data.Validation) == 0:
		return fmt.Errorf("of %d dialogues only %d can be learned from, and data.held_out_share = %g holds these out for validation; give more, or data.validation", total, d.valid.len(), data.HeldOutShare)
	case d.train.len() == 0:
		return fmt.Errorf("none of %d dialogues can be learned from: %s", total, strings.Join(out.lines[:min(3, len(out.lines))], "; "))
	case d.valid.len() == 0:
		return fmt.Errorf("no dialogue of %d is left for validation; raise data.held_out_share = %g, or give data.validation", total, data.HeldOutShare)
	}
	return nil
}

// dialoguesOf reads the dialogues of the files of a key.
func (d *dialogue) dialoguesOf(ctx context.Context, key string, names []string) ([]*corpus.Dialogue, error) {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = d.recipe.Data.path(name)
	}
	files, err := corpus.Expand(paths)
	if err != nil {
		return nil, fmt.Errorf("%s: %w (relative names are looked for under data.dir = %s)", key, err, d.recipe.Data.Dir)
	}
	form := d.recipe.Data.Format
	if form == "auto" {
		form = ""
	}
	var all []*corpus.Dialogue
	for one, err := range corpus.ReadDialogues(files, form) {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: there are no dialogues in %s", key, strings.Join(files, ", "))
	}
	return all, nil
}

// holdOut takes a share of the dialogues for validation; those that ask the same stay together.
func (d *dialogue) holdOut(all []*corpus.Dialogue) (train, valid []*corpus.Dialogue) {
	keys := make([]string, len(all))
	for i, one := range all {
		keys[i] = one.Key()
	}
	for i, held := range corpus.HoldOut(keys, SplitSeed, d.recipe.Data.HeldOutShare) {
		if held {
			valid = append(valid, all[i])
		} else {
			train = append(train, all[i])
		}
	}
	return train, valid
}

// encoded is a dialogue as tokens, or why it is left out.
type encoded struct {
	ids  []int32
	said []bool
	kind string
	err  error
}

// encode cuts dialogues into tokens, on all threads. Those that do not fit, or teach nothing, are left out.
func (d *dialogue) encode(ctx context.Context, list []*corpus.Dialogue, out *leftOut) (*dialogues, error) {
	results := make([]encoded, len(list))
	d.pool.Run(len(list), &dialogueTask{ctx, d, list, results})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s := &dialogues{}
	for i, r := range results {
		if r.err != nil {
			out.add(list[i], r.kind, r.err)
			continue
		}
		s.add(list[i], r.ids, r.said)
	}
	return s, nil
}

type dialogueTask struct {
	ctx     context.Context
	d       *dialogue
	list    []*corpus.Dialogue
	results []encoded
}

// Do encodes one dialogue.
func (t *dialogueTask) Do(_, i int) {
	if t.ctx.Err() == nil {
		t.results[i] = t.d.encodeOne(t.list[i])
	}
}

// Why dialogues are left out.
const (
	brokenTurns = "have turns that cannot be learned from"
	refused     = "are refused by the chat template"
	tooLong     = "are longer than the context"
)

func (d *dialogue) encodeOne(one *corpus.Dialogue) encoded {
	if err := chat.CheckTurns(one.Messages); err != nil {
		return encoded{kind: brokenTurns, err: err}
	}
	t, err := d.template, error(nil)
	if one.Tools != nil {
		if t, err = t.With("tools", one.Tools); err != nil {
			return encoded{kind: refused, err: err}
		}
	}
	ids, said, err := t.Encode(d.tok, one.Messages)
	if err != nil {
		return encoded{kind: refused, err: err}
	}
	if most := d.recipe.Model.Context; len(ids) > most {
		return encoded{kind: tooLong, err: fmt.Errorf("%d tokens, and model.context = %d", len(ids), most)}
	}
	for _, s := range said[1:] {
		if s {
			return encoded{ids: ids, said: said}
		}
	}
	return encoded{kind: refused, err: errors.New("the chat template leaves nothing of what the assistant says")}
}

// tellLeftOut names the dialogues that are left out, all of them in a file of the run.
func (d *dialogue) tellLeftOut(out *leftOut, total int) error {
	if len(out.lines) == 0 || d.resumed {
		return nil
	}
	where := ""
	if d.dir != "" {
		where = ", all named in " + filepath.Join(d.dir, leftOutFile)
		if err := hub.WriteBytesAtomic(filepath.Join(d.dir, leftOutFile), []byte(strings.Join(out.lines, "\n")+"\n")); err != nil {
			return err
		}
	}
	d.progress.Note(fmt.Sprintf("%d of %d dialogues are left out%s:", len(out.lines), total, where))
	for _, kind := range out.kinds {
		d.progress.Note(fmt.Sprintf("  %d %s, the first %s", out.count[kind], kind, out.first[kind]))
	}
	return nil
}
