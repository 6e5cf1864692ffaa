package train

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/template"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
	"github.com/parley-lm/parley/tokenizer"
)

// dialogue is the objective of supervised fine-tuning (Ouyang et al. 2022): the cross-entropy of every token that the assistant
// says, given the dialogue up to it. What others say is read and not learned. A batch is whole dialogues, none of which sees
// another.
type dialogue struct {
	workplace
	supervised
	start    *startingModel // model.from
	model    *model.Decoder
	tok      *tokenizer.Tokenizer
	known    int // tokens that model.from has
	template *chat.Template
	end      int32  // by which the assistant ends a turn
	base     string // fingerprint of a model that stays as it is, "" of one that is trained

	train, valid *dialogues
	shuffle      *corpus.Batches
	batch        model.TokenBatch
	target       []int32
	nll          []float32
}

func newDialogue(ctx context.Context, w workplace) (objective, error) {
	d := &dialogue{workplace: w}
	if err := d.makeModel(); err != nil {
		return nil, err
	}
	if err := d.readDialogues(ctx); err != nil {
		return nil, err
	}
	t := &d.recipe.Train
	var err error
	if d.shuffle, err = corpus.NewBatches(d.train.lengths, d.train.lengths, t.BatchTokens, 0, uint64(t.Seed)); err != nil {
		return nil, fmt.Errorf("training data: %w (train.batch_tokens)", err)
	}
	if v := &d.recipe.Validation; v.Every == 0 {
		v.Every = d.shuffle.Len() // an epoch
	}
	return d, d.recipe.followData(d.store().Count(), d.train.total(), d.shuffle.Len())
}

// makeModel opens the model that is to learn, its tokenizer and its chat template. A model without a template gets ChatML's.
func (d *dialogue) makeModel() (err error) {
	if d.start, err = d.recipe.startModel(d.pool); err != nil {
		return err
	}
	if d.base, err = d.start.fingerprint(); err != nil {
		return err
	}
	if d.tok, err = startTokenizer(d.start.base); err != nil {
		return err
	}
	if d.known = d.tok.Size(); d.known > d.start.model.Config.VocabSize {
		return fmt.Errorf("model.from: %s has embeddings for %d tokens, but its tokenizer has %d", d.start.base, d.start.model.Config.VocabSize, d.known)
	}
	if d.template, err = d.chatTemplate(); err != nil {
		return err
	}
	if d.template == nil {
		d.template = chat.ChatML()
	}
	if err := d.learnChatMLTokens(); err != nil {
		return err
	}
	d.model = d.start.model
	if d.end, err = d.template.EndOfTurn(d.tok); err != nil {
		return fmt.Errorf("chat template: %w; data.chat_template names another, and chatml adds its own tokens to the vocabulary", err)
	}
	m, most := &d.recipe.Model, min(d.model.Config.MaxPositions, d.recipe.Train.BatchTokens)
	if m.Context == 0 || m.Context > most {
		m.Context = most
	}
	d.recipe.followWidth(d.model.Config.Hidden)
	return nil
}

// chatTemplate returns the template that the recipe names, or that of the model; nil where there is neither.
func (d *dialogue) chatTemplate() (*chat.Template, error) {
	switch name := d.recipe.Data.ChatTemplate; name {
	case "":
		t, err := hub.LoadChatTemplate(hub.ModelDir(d.recipe.Model.From)) // which may be an adapter's
		if t != nil || err != nil {
			return t, err
		}
		return hub.LoadChatTemplate(d.start.base)
	case "chatml":
		return chat.ChatML(), nil
	case "chatml-spaced":
		return chat.ChatMLSpaced(), nil
	case "plain":
		return chat.Plain(), nil
	default:
		path := d.recipe.Data.path(name)
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("data.chat_template: %w", err)
		}
		tokens, err := hub.SpecialTokens(d.start.base)
		if err != nil {
			return nil, err
		}
		return chat.NewTemplate(path, string(source), tokens)
	}
}

// learnChatMLTokens adds ChatML's tokens to vocabulary and model where the template writes them and the vocabulary lacks them.
func (d *dialogue) learnChatMLTokens() error {
	var written []string
	for _, token := range chat.ChatMLTokens {
		if strings.Contains(d.template.Source(), token) {
			written = append(written, token)
		}
	}
	more, err := d.tok.WithSpecial(written...)
	if err != nil {
		return err
	}
	if more.Size() == d.known {
		return nil
	}
	if d.start.adapter != nil {
		return fmt.Errorf("the chat template writes %s, which the vocabulary lacks and whose embeddings an adapter does not hold: train the whole model (lora.rank = 0), or give a template without new tokens with data.chat_template", strings.Join(written, " and "))
	}
	d.tok = more
	size := max(more.Size(), d.start.model.Config.VocabSize)
	if d.start.model, err = d.start.model.WithVocabulary(d.known, size); err != nil {
		return err
	}
	d.start.content.Model = d.start.model
	if !d.resumed {
		d.progress.Note(fmt.Sprintf("the vocabulary gets %d special tokens more, for the chat template", more.Size()-d.known))
	}
	return nil
}

func (d *dialogue) tokenizer() *tokenizer.Tokenizer { return d.tok }
func (d *dialogue) store() *nn.Store                { return d.start.store() }
func (d *dialogue) close() error                    { return nil }
func (d *dialogue) beginEpoch(epoch int)            { d.shuffle.Epoch(epoch) }
func (d *dialogue) batches() int                    { return d.shuffle.Len() }
func (d *dialogue) finishGradient() Measures        { return nil }

func (d *dialogue) fingerprint() string { return d.laidOut() + d.base }

// laidOut is of the dialogues' tokens, which depend on the chat template.
func (d *dialogue) laidOut() string {
	return "dialogues " + d.train.checksum() + "+" + d.valid.checksum()
}

func (d *dialogue) changed(began string) error {
	what := "dialogues, or their chat template, are"
	if strings.HasPrefix(began, d.laidOut()) {
		what = "model is"
	}
	return fmt.Errorf("the %s not what this run began with (%s; now %s): a resumed run needs the same", what, began, d.fingerprint())
}

func (d *dialogue) size(batch int) (sequences, tokens, passes int) {
	list, micro := d.shuffle.Batch(batch), d.recipe.Train.MicroTokens
	rows := 0
	for _, i := range list {
		rows += int(d.train.lengths[i])
		tokens += int(d.train.learned[i])
	}
	return len(list), tokens, min(len(list), (rows+micro-1)/micro)
}

func (d *dialogue) forward(tape *grad.Tape, batch, pass, passes int, scale float64) (float64, error) {
	list := d.shuffle.Batch(batch)
	d.batch.Reset()
	rows := func(i int32) int { return int(d.train.lengths[i]) }
	for _, i := range list[border(list, rows, pass, passes):border(list, rows, pass+1, passes)] {
		d.add(d.train, int(i))
	}
	if d.batch.Starts.Len() == 0 {
		return 0, nil
	}
	return d.model.Loss(tape, &d.batch, float32(scale), nil), nil
}

// add appends a dialogue to the batch: each token is to be followed by the next where the assistant says that.
func (d *dialogue) add(s *dialogues, i int) {
	ids, said := s.at(i)
	d.target = d.target[:0]
	for n, id := range ids[1:] {
		if !said[n+1] {
			id = -1
		}
		d.target = append(d.target, id)
	}
	d.batch.Add(ids[:len(ids)-1], d.target)
}

func (d *dialogue) describe(p *Plan) {
	p.Documents, p.TrainTokens, p.ValidTokens = int64(d.train.len()+d.valid.len()), d.train.total(), d.valid.total()
	p.StepTokens = int(p.TrainTokens / int64(p.Batches))
	p.Frozen = d.start.frozen()
	p.FLOPsPerUpdate = decoderFLOPs(d.model, int(p.TrainTokens)/d.train.len(), p.Frozen > 0) * float64(p.StepTokens)
}

//go:embed dialogue.md.tmpl
var dialogueCardText string

var dialogueCard = template.Must(template.New("card").Parse(dialogueCardText))

func (d *dialogue) card() *template.Template { return dialogueCard }

// save writes the model directory, or that of an adapter, with the chat template.
func (d *dialogue) save(dir string, card []byte) error {
	files, err := hub.TokenizerFiles(d.start.base)
	if err != nil {
		return err
	}
	if d.tok.Size() > d.known || files[vocabularyFile] == nil {
		if files[vocabularyFile], err = d.tok.JSON(); err != nil {
			return err
		}
	}
	end, _ := d.tok.Token(d.end)
	config := files["tokenizer_config.json"]
	if config == nil {
		if config, err = d.tok.Config(tokenizer.Roles{EOS: end}, d.model.Config.MaxPositions); err != nil {
			return err
		}
	}
	if d.tok.Size() > d.known { // of what knows no further tokens
		for _, stale := range []string{"tokenizer.model", "added_tokens.json", "vocab.json", "merges.txt"} {
			delete(files, stale)
		}
	}
	added := map[int32]string{}
	for id := d.known; id < d.tok.Size(); id++ {
		added[int32(id)], _ = d.tok.Token(int32(id))
	}
	talks, err := hub.ChatFiles(config, files["special_tokens_map.json"], d.template.Source(), end, added)
	if err != nil {
		return err
	}
	maps.Copy(files, talks)
	files["README.md"] = card
	ends := []int32{d.end}
	for _, id := range d.start.content.Generation.EOSIDs {
		if !slices.Contains(ends, id) {
			ends = append(ends, id)
		}
	}
	if err := d.start.content.SetEnds(ends); err != nil {
		return err
	}
	return d.start.save(dir, files)
}
