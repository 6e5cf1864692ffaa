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
	Truncation    jsontext.Value `json:"truncation"` // kept, not followed: what one call of somebody's asked for
	Padding       jsontext.Value `json:"padding"`    // likewise; transformers sets both anew at each call
	AddedTokens   []addedFile    `json:"added_tokens"`
	Normalizer    jsontext.Value `json:"normalizer"`
	PreTokenizer  jsontext.Value `json:"pre_tokenizer"`
	PostProcessor jsontext.Value `json:"post_processor"`
	Decoder       jsontext.Value `json:"decoder"`
	Model         jsontext.Value `json:"model"` // what no field below holds

	bpe *bpeFile // the model, if it is of this kind
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
	if err := decode(data, "", &f); err != nil {
		return nil, err
	}
	return f.tokenizer()
}

// decode reads one part of the file, named by where it is. A key that it does not know
// is an error: it may change what a text becomes.
func decode(data []byte, where string, part any) error {
	err := json.Unmarshal(data, part, json.RejectUnknownMembers(true))
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntactic) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("not a readable tokenizer.json: %w", err)
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		return fmt.Errorf("%s: not supported", dotted(where, semantic.JSONPointer))
	case errors.As(err, &semantic) && semantic.Err != nil:
		return fmt.Errorf("%s: %w", dotted(where, semantic.JSONPointer), semantic.Err)
	case errors.As(err, &semantic):
		return fmt.Errorf("%s: not expected to be a %v", dotted(where, semantic.JSONPointer), semantic.JSONKind)
	}
	return fmt.Errorf("not a readable tokenizer.json: %w", err)
}

// dotted spells a place in the file as in model.vocab.
func dotted(where string, p jsontext.Pointer) string {
	names := slices.Collect(p.Tokens())
	if where != "" {
		names = slices.Insert(names, 0, where)
	}
	return cmp.Or(strings.Join(names, "."), "the whole")
}

// tokenizer builds what the file describes.
func (f *file) tokenizer() (*Tokenizer, error) {
	t := &Tokenizer{special: map[int32]bool{}, ids: map[string]int32{}}
	if f.Version != "" && f.Version != "1.0" {
		return nil, fmt.Errorf("version: %q is not known, only 1.0", f.Version)
	}
	byteLevel, err := f.preTokenizer(t)
	if err != nil {
		return nil, err
	}
	if err := f.model(t, byteLevel); err != nil {
		return nil, err
	}
	for _, build := range []func(*Tokenizer) error{f.added, f.postProcessor, f.decoder} {
		if err := build(t); err != nil {
			return nil, err
		}
	}
	t.valid = !byteLevel || len(t.passes[1].normalize) > 0
	t.file = f
	return t, nil
}

func null(part jsontext.Value) bool { return len(part) == 0 || string(part) == "null" }

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

// added sets up the normalizer and the added tokens.
func (f *file) added(t *Tokenizer) error {
	normalize, err := readNormalizer(f.Normalizer)
	if err != nil {
		return fmt.Errorf("normalizer: %w", err)
	}
	var now, later []addedToken
	t.decoded = map[int32]string{}
	for i, a := range f.AddedTokens {
		if err := t.name(a.Content, a.ID, len(t.ids)+len(f.AddedTokens)); err != nil {
			return fmt.Errorf("added_tokens[%d]: %w", i, err)
		}
		if a.Special {
			t.special[a.ID] = true
		}
		token := addedToken{
			id: a.ID, content: a.Content, special: a.Special, word: a.SingleWord, lstrip: a.Lstrip, rstrip: a.Rstrip,
		}
		if !a.Normalized {
			now = append(now, token)
			continue
		}
		if token.content = normalize.normalize(mend(a.Content)); token.content != "" {
			later = append(later, token)
		}
		if token.content != a.Content {
			t.decoded[a.ID] = token.content
		}
	}
	t.passes = []pass{{added: newMatcher(now)}, {normalize, newMatcher(later)}}
	return nil
}

var errNoFile = errors.New("a SentencePiece tokenizer cannot be written as tokenizer.json, which has no such normalizer")

// JSON returns the content of a tokenizer.json, which Parse and Hugging Face tokenizers
// read. A tokenizer that was read from another format may have none; that is an error.
func (t *Tokenizer) JSON() ([]byte, error) {
	if t.file == nil {
		return nil, errNoFile
	}
	f := *t.file
	f.Version = "1.0"
	var err error
	if f.bpe != nil {
		if f.Model, err = json.Marshal(f.bpe, json.Deterministic(true)); err != nil {
			return nil, fmt.Errorf("writing tokenizer.json: %w", err)
		}
	}
	data, err := json.Marshal(f, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("writing tokenizer.json: %w", err)
	}
	return data, nil
}
