package tokenizer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// template is the TemplateProcessing post-processor: what stands around one text, or
// two. Each piece is {"SpecialToken": …} or {"Sequence": …}.
type template struct {
	Type          string                   `json:"type"`
	Single        []templatePiece          `json:"single"`
	Pair          []templatePiece          `json:"pair"`
	SpecialTokens map[string]templateToken `json:"special_tokens"`
}

type templateToken struct {
	ID     string   `json:"id"`
	IDs    []int32  `json:"ids"`
	Tokens []string `json:"tokens"`
}

type templatePiece struct {
	SpecialToken *pieceID `json:"SpecialToken,omitzero"`
	Sequence     *pieceID `json:"Sequence,omitzero"`
}

type pieceID struct {
	ID     string `json:"id"`
	TypeID int    `json:"type_id"`
}

func (f *file) postProcessor(t *Tokenizer) error {
	if null(f.PostProcessor) {
		return nil
	}
	if err := t.readProcessor(f.PostProcessor); err != nil {
		return fmt.Errorf("post_processor: %w", err)
	}
	return nil
}

// readProcessor puts what a processor adds around what those before it added.
func (t *Tokenizer) readProcessor(part jsontext.Value) error {
	name, err := kind(part)
	if err != nil {
		return err
	}
	switch name {
	case "ByteLevel":
		return decode(part, "ByteLevel", &byteLevelFile{})
	case "TemplateProcessing":
		return t.readTemplate(part)
	case "BertProcessing", "RobertaProcessing":
		if err := t.readBertProcessing(part); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	case "Sequence":
		return t.readProcessors(part)
	}
	return fmt.Errorf("type %q is not supported", name)
}

func (t *Tokenizer) readProcessors(part jsontext.Value) error {
	var s struct {
		Type       string           `json:"type"`
		Processors []jsontext.Value `json:"processors"`
	}
	if err := decode(part, "Sequence", &s); err != nil {
		return err
	}
	for i, p := range s.Processors {
		if err := t.readProcessor(p); err != nil {
			return inSequence(i, err)
		}
	}
	return nil
}

// frame puts ids before and after everything.
func (t *Tokenizer) frame(before, after []int32) error {
	for _, id := range slices.Concat(before, after) {
		if _, ok := t.Token(id); !ok {
			return fmt.Errorf("the id %d is no token", id)
		}
	}
	t.prefix = slices.Concat(before, t.prefix)
	t.suffix = slices.Concat(t.suffix, after)
	return nil
}

// readTemplate adds the prefix and suffix of the template of a single text.
func (t *Tokenizer) readTemplate(part jsontext.Value) error {
	var p template
	if err := decode(part, "TemplateProcessing", &p); err != nil {
		return err
	}
	var before, after []int32
	seen := false
	for i, piece := range p.Single {
		switch {
		case piece.Sequence != nil && piece.SpecialToken == nil:
			if piece.Sequence.ID != "A" || seen {
				return fmt.Errorf("TemplateProcessing: single[%d]: the text must stand exactly once", i)
			}
			seen = true
		case piece.SpecialToken != nil && piece.Sequence == nil:
			s, ok := p.SpecialTokens[piece.SpecialToken.ID]
			if !ok {
				return fmt.Errorf("TemplateProcessing: single[%d]: %q is not in special_tokens", i, piece.SpecialToken.ID)
			}
			if seen {
				after = append(after, s.IDs...)
			} else {
				before = append(before, s.IDs...)
			}
		default:
			return fmt.Errorf("TemplateProcessing: single[%d]: neither a Sequence nor a SpecialToken", i)
		}
	}
	if !seen {
		return errors.New("TemplateProcessing: single: the text is missing")
	}
	if err := t.frame(before, after); err != nil {
		return fmt.Errorf("TemplateProcessing: special_tokens: %w", err)
	}
	return nil
}

// readBertProcessing reads BertProcessing and RobertaProcessing, which put one token
// before a text and one after it.
func (t *Tokenizer) readBertProcessing(part jsontext.Value) error {
	var p struct {
		Type           string     `json:"type"`
		Sep            tokenAndID `json:"sep"`
		Cls            tokenAndID `json:"cls"`
		TrimOffsets    *bool      `json:"trim_offsets"`
		AddPrefixSpace *bool      `json:"add_prefix_space"`
	}
	if err := decode(part, "", &p); err != nil {
		return err
	}
	return t.frame([]int32{p.Cls.id}, []int32{p.Sep.id})
}

// tokenAndID is a list of two.
type tokenAndID struct {
	token string
	id    int32
}

// UnmarshalJSONFrom reads ["</s>", 2].
func (p *tokenAndID) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	var list []jsontext.Value
	if err := json.UnmarshalDecode(d, &list); err != nil {
		return err
	}
	if len(list) != 2 {
		return errors.New("must be a token and its id")
	}
	return errors.Join(json.Unmarshal(list[0], &p.token), json.Unmarshal(list[1], &p.id))
}
