package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"path/filepath"
	"slices"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/hub"
)

// Prompt is what a policy is to answer.
type Prompt struct {
	Text     string         // as the file has it; of a dialogue its last message
	Messages []chat.Message // of a dialogue, up to where the assistant is to answer; nil for plain text
	Answer   string         // the right one, where the file gives it
	Place    string         // file and line

	ids  []int32
	held bool // it opens a document that is held out
}

// readPromptFiles reads prompts from the files of a key: those that stand there, or with data.opening_words those that open the
// documents there.
func (w *workplace) readPromptFiles(key string, names []string) (list []Prompt, err error) {
	if len(w.recipe.Data.OpeningWords) > 0 {
		return w.readOpenings(key, names)
	}
	for _, name := range names {
		read, err := ReadPrompts(w.recipe.Data.path(name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		list = append(list, read...)
	}
	return list, nil
}

// readOpenings makes prompts of documents. The same share of them is held out as of a language model's.
func (w *workplace) readOpenings(key string, names []string) (list []Prompt, err error) {
	d := &w.recipe.Data
	texts, err := w.documentFiles(key, names)
	if err != nil {
		return nil, err
	}
	openings := corpus.Openings{Least: d.OpeningWords[0], Most: d.OpeningWords[1]}
	for o, err := range openings.All(texts, corpus.Split{Seed: SplitSeed, Share: d.HeldOutShare}) {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		list = append(list, Prompt{Text: o.Text, Place: fmt.Sprintf("%s: the opening %q", key, o.Text), held: o.Held})
	}
	return list, nil
}

// ReadPrompts reads a file of prompts, one a line: JSON objects with "messages" or "prompt", which may be a list of messages
// too, and perhaps the right "answer"; other keys are ignored. Where the first line is no JSON object every line is a prompt as
// it stands, blank ones left out.
func ReadPrompts(path string) ([]Prompt, error) {
	lines, err := corpus.OpenLines(path)
	if err != nil {
		return nil, err
	}
	defer lines.Close()
	var list []Prompt
	objects := false
	for {
		line, err := lines.Next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		p := Prompt{Place: fmt.Sprintf("%s:%d", path, lines.Number())}
		if len(list) == 0 {
			objects = line[0] == '{'
		}
		if !objects {
			p.Text = string(line)
		} else if err := p.parse(line); err != nil {
			return nil, fmt.Errorf("%s: %w", p.Place, err)
		}
		list = append(list, p)
	}
}

func (p *Prompt) parse(line []byte) error {
	var object struct {
		Messages []chat.Message  `json:"messages"`
		Prompt   json.RawMessage `json:"prompt"`
		Answer   string          `json:"answer"`
	}
	if err := json.Unmarshal(line, &object); err != nil {
		return fmt.Errorf("must be a JSON object of a prompt: %w", err)
	}
	p.Answer, p.Messages = object.Answer, object.Messages
	if text := bytes.TrimSpace(object.Prompt); p.Messages == nil && len(text) > 0 {
		var err error
		if text[0] == '[' {
			err = json.Unmarshal(text, &p.Messages)
		} else {
			err = json.Unmarshal(text, &p.Text)
		}
		if err != nil {
			return fmt.Errorf(`"prompt" must be a text or a list of messages: %w`, err)
		}
	}
	if p.Messages == nil {
		if p.Text == "" {
			return errors.New(`has neither "messages" nor "prompt"`)
		}
		return nil
	}
	for n := len(p.Messages); n > 0 && p.Messages[n-1].Role == chat.Assistant; n-- { // of a whole dialogue, the answer
		p.Messages = p.Messages[:n-1]
	}
	if len(p.Messages) == 0 {
		return errors.New("there is no message that an assistant could answer")
	}
	p.Text = p.Messages[len(p.Messages)-1].Content
	return nil
}

// key is a hash of what a prompt asks.
func (p *Prompt) key() uint64 {
	h := fnv.New64a()
	if p.Messages == nil {
		io.WriteString(h, p.Text)
	}
	for _, m := range p.Messages {
		io.WriteString(h, m.Role+"\x00"+m.Content+"\x00")
	}
	return mixed(h.Sum64() ^ SplitSeed)
}

// mixed spreads the bits of a number (Steele et al. 2014, the finaliser of SplitMix64).
func mixed(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// holdOutPrompts takes a share of the prompts for validation, by a hash of what they ask: equal prompts go to the same side.
// At least one goes to each.
func holdOutPrompts(all []Prompt, share float64) (train, held []Prompt) {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := all[a].key(), all[b].key()
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	count := int(math.Ceil(share * float64(len(all))))
	for count > 0 && count < len(all) && all[order[count]].key() == all[order[count-1]].key() {
		count++
	}
	side := make([]bool, len(all))
	for _, i := range order[:min(count, len(all))] {
		side[i] = true
	}
	for i, p := range all {
		if side[i] {
			held = append(held, p)
		} else {
			train = append(train, p)
		}
	}
	return train, held
}

// template returns the template by which the policy's model reads dialogues: that of its directory, or ChatML.
func (r *reinforcement) template() (*chat.Template, error) {
	dir := hub.ModelDir(r.recipe.Model.From)
	config := hub.NewConfig(filepath.Join(dir, "tokenizer_config.json"))
	if text, ok := r.files["tokenizer_config.json"]; ok {
		var err error
		if config, err = hub.ParseConfig(config.Path(), text); err != nil {
			return nil, err
		}
	}
	tokens := map[string]string{}
	for _, key := range []string{"bos_token", "eos_token", "pad_token", "unk_token"} {
		if s, err := config.StringOr(key, ""); err == nil && s != "" { // older files have objects
			tokens[key] = s
		}
	}
	if source, ok := r.files["chat_template.jinja"]; ok {
		return chat.NewTemplate(filepath.Join(dir, "chat_template.jinja"), string(source), tokens)
	}
	source, err := config.StringOr("chat_template", "")
	switch {
	case err != nil:
		return nil, err
	case source == "":
		return chat.ChatML(), nil
	}
	return chat.NewTemplate(config.Path()+": chat_template", source, tokens)
}
