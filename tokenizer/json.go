package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// file is tokenizer.json, the format of Hugging Face tokenizers.
type file struct {
	Version       string         `json:"version"`
	Truncation    jsontext.Value `json:"truncation"`
	Padding       jsontext.Value `json:"padding"`
	AddedTokens   []addedFile    `json:"added_tokens"`
	Normalizer    jsontext.Value `json:"normalizer"`
	PreTokenizer  jsontext.Value `json:"pre_tokenizer"`
	PostProcessor jsontext.Value `json:"post_processor"`
	Decoder       jsontext.Value `json:"decoder"`
	Model         modelFile      `json:"model"`
}

type addedFile struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	Lstrip     bool   `json:"lstrip"`
	Rstrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

type modelFile struct {
	Type                    string     `json:"type"`
	Dropout                 *float64   `json:"dropout"`
	UnkToken                *string    `json:"unk_token"`
	ContinuingSubwordPrefix *string    `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string    `json:"end_of_word_suffix"`
	FuseUnk                 bool       `json:"fuse_unk"`
	ByteFallback            bool       `json:"byte_fallback"`
	IgnoreMerges            bool       `json:"ignore_merges"`
	Vocab                   vocabulary `json:"vocab"`
	Merges                  mergeList  `json:"merges"`
}

// Load reads a tokenizer.json. A part that Parley does not know is an error that
// names it.
func Load(path string) (*Tokenizer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the tokenizer: %w", err)
	}
	t, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Parse reads the content of a tokenizer.json; see [Load].
func Parse(data []byte) (*Tokenizer, error) {
	var f file
	if err := decode(data, &f); err != nil {
		return nil, cmp.Or(otherModel(data), err)
	}
	return f.tokenizer()
}

// otherModel returns an error if the file holds a model of a kind that Parley lacks,
// whose keys are unknown for that reason.
func otherModel(data []byte) error {
	var f struct {
		Model struct {
			Type string `json:"type"`
		} `json:"model"`
	}
	if json.Unmarshal(data, &f) == nil && f.Model.Type != "" && f.Model.Type != "BPE" {
		return fmt.Errorf("model.type %q is not supported, only BPE", f.Model.Type)
	}
	return nil
}

// decode reads one part of the file. A key that it does not know is an error: it may
// change what a text becomes.
func decode(data []byte, part any) error {
	err := json.Unmarshal(data, part, json.RejectUnknownMembers(true))
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntactic) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("not a readable tokenizer.json: %w", err)
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		return fmt.Errorf("%s: not supported", dotted(semantic.JSONPointer))
	case errors.As(err, &semantic) && semantic.Err != nil:
		return fmt.Errorf("%s: %w", dotted(semantic.JSONPointer), semantic.Err)
	case errors.As(err, &semantic):
		return fmt.Errorf("%s: not expected to be a %v", dotted(semantic.JSONPointer), semantic.JSONKind)
	}
	return fmt.Errorf("not a readable tokenizer.json: %w", err)
}

// dotted spells a place in the file as in model.vocab.
func dotted(p jsontext.Pointer) string {
	return cmp.Or(strings.Join(slices.Collect(p.Tokens()), "."), "the whole")
}

// tokenizer builds what the file describes.
func (f *file) tokenizer() (*Tokenizer, error) {
	t := &Tokenizer{special: map[int32]bool{}}
	for _, build := range []func(*Tokenizer) error{
		f.absent, f.model, f.added, f.preTokenizer, f.postProcessor, f.decoder,
	} {
		if err := build(t); err != nil {
			return nil, err
		}
	}
	t.file = *f
	return t, nil
}

// absent refuses the parts of the format that Parley lacks.
func (f *file) absent(*Tokenizer) error {
	if f.Version != "" && f.Version != "1.0" {
		return fmt.Errorf("version: %q is not known, only 1.0", f.Version)
	}
	if !null(f.Normalizer) {
		name, err := kind(f.Normalizer)
		if err != nil {
			return fmt.Errorf("normalizer: %w", err)
		}
		return fmt.Errorf("normalizer: type %q is not supported, only none", name)
	}
	m := &f.Model
	if m.Type == "" && len(m.Merges) > 0 {
		m.Type = "BPE" // files written before types were
	}
	if m.Type != "BPE" {
		return fmt.Errorf("model.type %q is not supported, only BPE", m.Type)
	}
	for _, part := range []struct {
		name    string
		present bool
	}{
		{"truncation", !null(f.Truncation)},
		{"padding", !null(f.Padding)},
		{"model.dropout", m.Dropout != nil && *m.Dropout != 0},
		{"model.continuing_subword_prefix", m.ContinuingSubwordPrefix != nil && *m.ContinuingSubwordPrefix != ""},
		{"model.end_of_word_suffix", m.EndOfWordSuffix != nil && *m.EndOfWordSuffix != ""},
		{"model.fuse_unk", m.FuseUnk},
		{"model.byte_fallback", m.ByteFallback},
		{"model.ignore_merges", m.IgnoreMerges},
	} {
		if part.present {
			return fmt.Errorf("%s: not supported", part.name)
		}
	}
	return nil
}

func null(part jsontext.Value) bool { return len(part) == 0 || string(part) == "null" }

// model sets up vocabulary and merges.
func (f *file) model(t *Tokenizer) error {
	m := &f.Model
	t.spelled = make([]string, 0, len(m.Vocab)+len(f.AddedTokens))
	t.raw = make([]string, 0, cap(t.spelled))
	t.ids = make(map[string]int32, len(m.Vocab)+len(f.AddedTokens))
	for _, e := range m.Vocab {
		if err := t.name(e.token, e.id, len(m.Vocab)+len(f.AddedTokens)); err != nil {
			return fmt.Errorf("model.vocab: %w", err)
		}
		t.raw[e.id] = unspell(e.token)
	}
	t.unk = noToken
	if m.UnkToken != nil {
		id, ok := t.ids[*m.UnkToken]
		if !ok {
			return fmt.Errorf("model.unk_token: %q is not in the vocabulary", *m.UnkToken)
		}
		t.unk = id
	}
	for b := range t.bytes {
		id, ok := t.ids[string(byteRunes[b])]
		if !ok {
			id = noToken
		}
		t.bytes[b] = id
	}
	t.merges = newPairTable(len(m.Merges))
	var whole []byte
	for i, p := range m.Merges {
		left, lok := t.ids[p.left]
		right, rok := t.ids[p.right]
		whole = append(append(whole[:0], p.left...), p.right...)
		id, ok := t.ids[string(whole)]
		if !lok || !rok || !ok {
			return fmt.Errorf("model.merges[%d]: of %q and %q, or what they make together, something is not in the vocabulary", i, p.left, p.right)
		}
		t.merges.add(left, right, id)
	}
	return nil
}

// name gives an id its token. Ids may leave gaps, but not so many that a small file
// asks for much memory.
func (t *Tokenizer) name(token string, id int32, tokens int) error {
	if limit := 2*tokens + 1<<16; id < 0 || int(id) >= limit {
		return fmt.Errorf("id %d of %q is out of range for %d tokens", id, token, tokens)
	}
	if token == "" {
		return fmt.Errorf("the token of id %d is empty", id)
	}
	if n := int(id) + 1 - len(t.spelled); n > 0 {
		t.spelled = append(t.spelled, make([]string, n)...)
		t.raw = append(t.raw, make([]string, n)...)
	}
	if have := t.spelled[id]; have != "" && have != token {
		return fmt.Errorf("id %d is both %q and %q", id, have, token)
	}
	if have, ok := t.ids[token]; ok && have != id {
		return fmt.Errorf("%q has the ids %d and %d", token, have, id)
	}
	t.spelled[id] = token
	t.ids[token] = id
	return nil
}

// added sets up the added tokens. In the reference each decodes through the byte
// alphabet, which mangles those with letters such as é; here each decodes to itself.
func (f *file) added(t *Tokenizer) error {
	var now, later []addedToken
	for i, a := range f.AddedTokens {
		if a.SingleWord || a.Lstrip || a.Rstrip {
			return fmt.Errorf("added_tokens[%d] %q: single_word, lstrip and rstrip are not supported", i, a.Content)
		}
		if err := t.name(a.Content, a.ID, len(f.Model.Vocab)+len(f.AddedTokens)); err != nil {
			return fmt.Errorf("added_tokens[%d]: %w", i, err)
		}
		t.raw[a.ID] = a.Content
		if a.Special {
			t.special[a.ID] = true
		}
		token := addedToken{a.ID, a.Content, a.Special}
		if a.Normalized {
			later = append(later, token)
		} else {
			now = append(now, token)
		}
	}
	for _, tokens := range [][]addedToken{now, later} {
		if len(tokens) > 0 {
			t.matchers = append(t.matchers, newMatcher(tokens))
		}
	}
	return nil
}

// JSON returns the content of a tokenizer.json, which Parse and Hugging Face tokenizers read.
func (t *Tokenizer) JSON() ([]byte, error) {
	f := t.file
	f.Version = "1.0"
	data, err := json.Marshal(f, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("writing tokenizer.json: %w", err)
	}
	return data, nil
}
