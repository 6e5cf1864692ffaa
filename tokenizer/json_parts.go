package tokenizer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// byteLevel is the ByteLevel part of the format, which is a pre-tokenizer, a
// post-processor (for offsets alone) and a decoder in one.
type byteLevel struct {
	Type           string `json:"type"`
	AddPrefixSpace *bool  `json:"add_prefix_space"`
	TrimOffsets    *bool  `json:"trim_offsets"`
	UseRegex       *bool  `json:"use_regex"`
}

type split struct {
	Type     string            `json:"type"`
	Pattern  map[string]string `json:"pattern"`
	Behavior string            `json:"behavior"`
	Invert   bool              `json:"invert"`
}

// kind returns the type of a part.
func kind(part jsontext.Value) (string, error) {
	var k struct {
		Type string `json:"type"`
	}
	err := json.Unmarshal(part, &k)
	return k.Type, err
}

func (f *file) preTokenizer(t *Tokenizer) error {
	pattern, err := readPattern(f.PreTokenizer)
	if err != nil {
		return fmt.Errorf("pre_tokenizer: %w", err)
	}
	t.words = newSplitter(pattern)
	return nil
}

const spacesRegex = ` ?\S+|\s+`

func readPattern(part jsontext.Value) (Pattern, error) {
	if null(part) {
		return 0, errors.New("none is not supported, only ByteLevel, or Sequence of Split and ByteLevel")
	}
	name, err := kind(part)
	if err != nil {
		return 0, err
	}
	switch name {
	case "ByteLevel":
		return GPT2, readByteLevel(part, true)
	case "Sequence":
		return Spaces, readSequence(part)
	}
	return 0, fmt.Errorf("type %q is not supported, only ByteLevel, or Sequence of Split and ByteLevel", name)
}

func readByteLevel(part jsontext.Value, regex bool) error {
	var b byteLevel
	if err := decode(part, &b); err != nil {
		return fmt.Errorf("ByteLevel: %w", err)
	}
	if b.AddPrefixSpace == nil || *b.AddPrefixSpace {
		return errors.New("ByteLevel: add_prefix_space true is not supported")
	}
	if uses := b.UseRegex == nil || *b.UseRegex; uses != regex {
		return fmt.Errorf("ByteLevel: use_regex %v is not supported here", uses)
	}
	return nil
}

// readSequence accepts the one sequence that means [Spaces].
func readSequence(part jsontext.Value) error {
	var s struct {
		Type          string           `json:"type"`
		Pretokenizers []jsontext.Value `json:"pretokenizers"`
	}
	if err := decode(part, &s); err != nil {
		return fmt.Errorf("in Sequence: %w", err)
	}
	var kinds []string
	for i, p := range s.Pretokenizers {
		k, err := kind(p)
		if err != nil {
			return fmt.Errorf("in Sequence[%d]: %w", i, err)
		}
		kinds = append(kinds, k)
	}
	if !slices.Equal(kinds, []string{"Split", "ByteLevel"}) {
		return fmt.Errorf("a Sequence of %q is not supported, only of Split and ByteLevel", kinds)
	}
	var cut split
	if err := decode(s.Pretokenizers[0], &cut); err != nil {
		return fmt.Errorf("Sequence[0]: Split: %w", err)
	}
	if regex := cut.Pattern["Regex"]; regex != spacesRegex || len(cut.Pattern) != 1 {
		return fmt.Errorf("Sequence[0]: Split: pattern %q is not supported, only the Regex %q", cut.Pattern, spacesRegex)
	}
	if cut.Behavior != "Isolated" || cut.Invert {
		return fmt.Errorf("Sequence[0]: Split: behavior %q, invert %v is not supported, only Isolated, false", cut.Behavior, cut.Invert)
	}
	if err := readByteLevel(s.Pretokenizers[1], false); err != nil {
		return fmt.Errorf("Sequence[1]: %w", err)
	}
	return nil
}

func (f *file) decoder(*Tokenizer) error {
	if null(f.Decoder) {
		return errors.New("decoder: none is not supported, only ByteLevel")
	}
	name, err := kind(f.Decoder)
	if err != nil {
		return fmt.Errorf("decoder: %w", err)
	}
	if name != "ByteLevel" {
		return fmt.Errorf("decoder: type %q is not supported, only ByteLevel", name)
	}
	if err := decode(f.Decoder, &byteLevel{}); err != nil {
		return fmt.Errorf("decoder: %w", err)
	}
	return nil
}

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
	name, err := kind(f.PostProcessor)
	switch {
	case err != nil:
	case name == "ByteLevel":
		err = decode(f.PostProcessor, &byteLevel{})
	case name == "TemplateProcessing":
		err = t.readTemplate(f.PostProcessor)
	default:
		err = fmt.Errorf("type %q is not supported, only ByteLevel and TemplateProcessing", name)
	}
	if err != nil {
		return fmt.Errorf("post_processor: %w", err)
	}
	return nil
}

// readTemplate sets the prefix and suffix from the template of a single text.
func (t *Tokenizer) readTemplate(part jsontext.Value) error {
	var p template
	if err := decode(part, &p); err != nil {
		return fmt.Errorf("TemplateProcessing: %w", err)
	}
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
			for _, id := range s.IDs {
				if _, ok := t.Token(id); !ok {
					return fmt.Errorf("TemplateProcessing: special_tokens: %q has the id %d, which is no token", piece.SpecialToken.ID, id)
				}
			}
			if seen {
				t.suffix = append(t.suffix, s.IDs...)
			} else {
				t.prefix = append(t.prefix, s.IDs...)
			}
		default:
			return fmt.Errorf("TemplateProcessing: single[%d]: neither a Sequence nor a SpecialToken", i)
		}
	}
	if !seen {
		return errors.New("TemplateProcessing: single: the text is missing")
	}
	return nil
}
