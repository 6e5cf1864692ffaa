package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// EncodeOffsets returns the ids of text with, for each, the byte of text at which it begins. Like [Tokenizer.Encode] it
// recognises special tokens that are spelled out; with plain set they are text like any other, as for [Tokenizer.Append].
//
// Offsets are found by laying the tokens' texts along the text. White space that tokens take along or bring with them does
// not disturb that, but a tokenizer that rewrites the text, as one that composes accents does with some texts, has no exact
// offsets for it: that is an error.
func (t *Tokenizer) EncodeOffsets(text string, plain bool) (ids []int32, offsets []int, err error) {
	if plain {
		ids = t.Append(nil, text)
	} else {
		ids = t.Encode(text)
	}
	offsets = make([]int, len(ids))
	at := 0
	for i, id := range ids {
		skip, length, ok := lay(text[at:], t.raw[id])
		for !ok && at < len(text) && t.drops(text[at:]) {
			_, n := utf8.DecodeRuneInString(text[at:])
			at += n
			skip, length, ok = lay(text[at:], t.raw[id])
		}
		if !ok {
			return nil, nil, fmt.Errorf("where the token %q begins cannot be told: the tokenizer rewrites the text (near %.20q)", t.spelled[id], text[at:])
		}
		offsets[i] = at + skip
		at += skip + length
	}
	for at < len(text) && t.drops(text[at:]) {
		_, n := utf8.DecodeRuneInString(text[at:])
		at += n
	}
	if strings.TrimSpace(text[at:]) != "" {
		return nil, nil, fmt.Errorf("the text from %.20q on has no tokens", text[at:])
	}
	return ids, offsets, nil
}

// lay returns how a token lies at the beginning of text: after how many bytes of white space that another took along, and how
// many bytes it covers; a space that the token brings with it may be missing.
func lay(text, said string) (skip, length int, ok bool) {
	if strings.HasPrefix(text, said) {
		return 0, len(said), true
	}
	if strings.HasPrefix(said, " ") && strings.HasPrefix(text, said[1:]) {
		return 0, len(said) - 1, true
	}
	rest := strings.TrimLeftFunc(text, unicode.IsSpace)
	return len(text) - len(rest), len(said), strings.HasPrefix(rest, said)
}

// drops reports whether the first character of text has no token: a vocabulary of characters leaves out those it lacks.
func (t *Tokenizer) drops(text string) bool {
	_, n := utf8.DecodeRuneInString(text)
	return len(t.Append(nil, text[:n])) == 0
}

// SpecialTokens returns the special tokens as they are spelled, in the order of their ids.
func (t *Tokenizer) SpecialTokens() []string {
	var names []string
	for id, name := range t.spelled {
		if t.special[int32(id)] {
			names = append(names, name)
		}
	}
	return names
}

// WithSpecial returns a tokenizer that knows further special tokens, which get the ids from [Tokenizer.Size] on. Those that it
// knows already keep theirs.
func (t *Tokenizer) WithSpecial(names ...string) (*Tokenizer, error) {
	if t.file == nil {
		return nil, errNoFile
	}
	f := *t.file
	f.AddedTokens = slices.Clone(f.AddedTokens)
	next := int32(t.Size())
	for _, name := range names {
		if _, known := t.ID(name); !known {
			f.AddedTokens = append(f.AddedTokens, addedFile{ID: next, Content: name, Special: true})
			next++
		}
	}
	text, err := (&Tokenizer{file: &f}).JSON()
	if err != nil {
		return nil, err
	}
	return Parse(text)
}
