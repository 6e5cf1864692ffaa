package tokenizer

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// template is the post-processor that puts special tokens before and after each text.
func (f *file) template(prefix, suffix []string) template {
	p := template{Type: "TemplateProcessing", SpecialTokens: map[string]templateToken{}}
	sequence := func(id string, typeID int) (pieces []templatePiece) {
		for _, s := range prefix {
			pieces = append(pieces, templatePiece{SpecialToken: &pieceID{s, typeID}})
		}
		pieces = append(pieces, templatePiece{Sequence: &pieceID{id, typeID}})
		for _, s := range suffix {
			pieces = append(pieces, templatePiece{SpecialToken: &pieceID{s, typeID}})
		}
		return pieces
	}
	p.Single = sequence("A", 0)
	p.Pair = append(sequence("A", 0), sequence("B", 1)...)
	for _, a := range f.AddedTokens {
		if slices.Contains(prefix, a.Content) || slices.Contains(suffix, a.Content) {
			p.SpecialTokens[a.Content] = templateToken{a.Content, []int32{a.ID}, []string{a.Content}}
		}
	}
	return p
}

// WithPrefix returns a tokenizer whose post-processor puts a special token before each text, so that whoever opens its
// tokenizer.json does so too. One that puts something there already is returned as it is.
func (t *Tokenizer) WithPrefix(token string) (*Tokenizer, error) {
	if len(t.prefix) > 0 {
		return t, nil
	}
	if t.file == nil {
		return nil, errNoFile
	}
	if !slices.ContainsFunc(t.file.AddedTokens, func(a addedFile) bool { return a.Content == token }) {
		return nil, fmt.Errorf("%q is no special token of this tokenizer", token)
	}
	post, err := json.Marshal(t.file.template([]string{token}, nil), json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: post_processor: %w", err)
	}
	f := *t.file
	if null(f.PostProcessor) {
		f.PostProcessor = post
	} else {
		f.PostProcessor, err = json.Marshal(map[string]any{"type": "Sequence", "processors": []jsontext.Value{f.PostProcessor, post}}, json.Deterministic(true))
		if err != nil {
			return nil, fmt.Errorf("tokenizer.json: post_processor: %w", err)
		}
	}
	text, err := (&Tokenizer{file: &f}).JSON()
	if err != nil {
		return nil, err
	}
	return Parse(text)
}
