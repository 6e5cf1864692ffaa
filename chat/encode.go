package chat

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parley-lm/parley/internal/jinja"
)

// Tokenizer is what the templates need of a tokenizer; package tokenizer has one.
type Tokenizer interface {
	// EncodeOffsets returns the ids of text and the byte at which each begins. With plain set, special tokens that are spelled
	// out in it are text like any other.
	EncodeOffsets(text string, plain bool) (ids []int32, offsets []int, err error)
	// Encode returns the ids of text as EncodeOffsets does, and Append those of plain text after others.
	Encode(text string) []int32
	Append(dst []int32, text string) []int32
	// SpecialTokens returns the special tokens as they are spelled.
	SpecialTokens() []string
}

// Encode returns the tokens of a dialogue and, for each, whether the assistant says it: found exactly, from the generation
// blocks of the template or message by message. What people wrote in the messages is encoded as text, even where it spells a
// special token.
func (t *Template) Encode(tok Tokenizer, messages []Message) (ids []int32, said []bool, err error) {
	names := longestFirst(tok.SpecialTokens())
	values, err := t.values(messages)
	if err != nil {
		return nil, nil, err
	}
	whole, spans, err := t.spans(marked(values, names).(jinja.List))
	if err != nil {
		return nil, nil, err
	}
	ids, offsets, err := encode(tok.EncodeOffsets, whole, names)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", t.name, err)
	}
	for i, s := range spans {
		spans[i] = jinja.Span{Start: unmarked(whole, s.Start), End: unmarked(whole, s.End)}
	}
	text := strings.ReplaceAll(whole, mark, "")
	if t.jinja.HasGenerations() {
		return ids, maskBlocks(text, offsets, spans), nil
	}
	return ids, maskSpans(len(text), offsets, spans), nil
}

// Prompt returns the tokens of a dialogue up to where the assistant is to go on.
func (t *Template) Prompt(tok Tokenizer, messages []Message) ([]int32, error) {
	names := longestFirst(tok.SpecialTokens())
	values, err := t.values(messages)
	if err != nil {
		return nil, err
	}
	r, err := t.render(marked(values, names).(jinja.List), true)
	if err != nil {
		return nil, err
	}
	ids, _, err := encode(func(text string, plain bool) ([]int32, []int, error) { // where tokens begin does not matter
		ids := tok.Encode(text)
		if plain {
			ids = tok.Append(nil, text)
		}
		return ids, make([]int, len(ids)), nil
	}, r.Text, names)
	return ids, err
}

// EndOfTurn returns the special token by which the assistant ends what it says. It is an error if there is none, by which one
// could not tell that it has finished.
func (t *Template) EndOfTurn(tok Tokenizer) (id int32, err error) {
	special := map[int32]bool{}
	for _, name := range tok.SpecialTokens() {
		if one, _, err := tok.EncodeOffsets(name, false); err == nil && len(one) == 1 {
			special[one[0]] = true
		}
	}
	ids, said, err := t.Encode(tok, []Message{{Role: User, Content: "a"}, {Role: Assistant, Content: "b"}})
	if err != nil {
		return 0, err
	}
	for i, id := range ids {
		if said[i] && special[id] {
			return id, nil
		}
	}
	return 0, fmt.Errorf("%s ends what the assistant says with no special token of the vocabulary, so that nobody could tell when it has finished", t.name)
}

// mark breaks up special tokens that people spell, from before the dialogue is laid out until its text is cut. It is no
// character, and dropped where a text has it.
const mark = "\ufdd0"

func longestFirst(names []string) []string {
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b string) int { return len(b) - len(a) })
	return names
}

// broken is a special token with a mark after its first character. Whatever a template does with it, the token does not come
// back: no part of it without the mark is the token.
func broken(name string) string {
	_, n := utf8.DecodeRuneInString(name)
	return name[:n] + mark + name[n:]
}

// marked breaks up the special tokens in all texts of a value.
func marked(v jinja.Value, names []string) jinja.Value {
	switch v := v.(type) {
	case string:
		v = strings.ReplaceAll(v, mark, "")
		if !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(v, name) }) {
			return v
		}
		pairs := make([]string, 0, 2*len(names))
		for _, name := range names {
			pairs = append(pairs, name, broken(name))
		}
		return strings.NewReplacer(pairs...).Replace(v)
	case jinja.List:
		list := make(jinja.List, len(v))
		for i, one := range v {
			list[i] = marked(one, names)
		}
		return list
	case *jinja.Dict:
		d := &jinja.Dict{}
		for k, one := range v.All() {
			d.Set(k, marked(one, names))
		}
		return d
	}
	return v
}

// unmarked returns where a place of a text with marks is in the text without them.
func unmarked(text string, at int) int { return at - len(mark)*strings.Count(text[:at], mark) }

// encode cuts a rendered text. Special tokens that were broken up are encoded as text of their own, as transformers'
// sanitize_control_tokens does; offsets are those of the text without marks.
func encode(cut cutter, text string, names []string) (ids []int32, offsets []int, err error) {
	base := 0
	add := func(piece string, plain bool) {
		if piece == "" || err != nil {
			return
		}
		var more []int32
		var at []int
		more, at, err = cut.piece(piece, plain, base > 0)
		ids = append(ids, more...)
		for _, o := range at {
			offsets = append(offsets, base+o)
		}
		base += len(piece)
	}
	for text != "" {
		at := strings.Index(text, mark)
		if at < 0 {
			break
		}
		_, width := utf8.DecodeLastRuneInString(text[:at])
		name := nameAt(text[at-width:], names)
		if name == "" { // the template cut a token: what is on the two sides stays apart
			add(text[:at], false)
			text = text[at+len(mark):]
			continue
		}
		add(text[:at-width], false)
		add(name, true)
		text = text[at-width+len(mark)+len(name):]
	}
	add(text, false)
	return ids, offsets, err
}

// nameAt returns the special token that text begins with, broken up; "" if it begins with none.
func nameAt(text string, names []string) string {
	for _, name := range names {
		if strings.HasPrefix(text, broken(name)) {
			return name
		}
	}
	return ""
}

// cutter returns the tokens of a text, and where they begin; plain is as for [Tokenizer].
type cutter func(text string, plain bool) (ids []int32, offsets []int, err error)

// piece cuts a piece of a text. One that others precede is cut after a line feed, whose tokens are then left out, lest
// the tokenizer puts a space before it as before a text.
func (cut cutter) piece(piece string, plain, later bool) ([]int32, []int, error) {
	if !later {
		return cut(piece, plain)
	}
	feed, _, err := cut("\n", false)
	if err != nil {
		return nil, nil, err
	}
	ids, offsets, err := cut("\n"+piece, plain)
	if err != nil || len(ids) < len(feed) || !slices.Equal(ids[:len(feed)], feed) {
		return cut(piece, plain)
	}
	ids, offsets = ids[len(feed):], offsets[len(feed):]
	for i := range offsets {
		offsets[i]--
	}
	return ids, offsets, nil
}

// tokenOf returns the index of the token that covers a byte.
func tokenOf(offsets []int, at int) int {
	i, found := slices.BinarySearch(offsets, at)
	if !found {
		i--
	}
	for i > 0 && offsets[i-1] == offsets[i] && found {
		i--
	}
	return max(i, 0)
}

// maskBlocks marks the tokens of generation blocks as transformers does: from the first token that touches a block's first
// character to the first that touches its last.
func maskBlocks(text string, offsets []int, spans []jinja.Span) []bool {
	said := make([]bool, len(offsets))
	for _, s := range spans {
		if s.Start == s.End {
			continue
		}
		_, width := utf8.DecodeLastRuneInString(text[:s.End])
		for i := tokenOf(offsets, s.Start); i <= tokenOf(offsets, s.End-width); i++ {
			said[i] = true
		}
	}
	return said
}

// maskSpans marks all tokens that touch a span of a text of so many bytes.
func maskSpans(length int, offsets []int, spans []jinja.Span) []bool {
	said := make([]bool, len(offsets))
	for i, from := range offsets {
		to := length
		if i+1 < len(offsets) {
			to = offsets[i+1]
		}
		for _, s := range spans {
			said[i] = said[i] || from < s.End && to > s.Start
		}
	}
	return said
}
