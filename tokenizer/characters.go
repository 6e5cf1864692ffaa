package tokenizer

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/go-json-experiment/json"
)

// Characters returns a tokenizer whose tokens are the characters of some texts, in the order of their code points, behind
// special tokens. It is byte-level BPE like any other, with merges that join the bytes of a character and nothing else, so
// that a tokenizer.json can say it: a character of two bytes is one merge, one of three or four has its beginnings as tokens
// too. Of characters that the texts do not hold, bytes that are tokens remain, and others are dropped.
func Characters(texts iter.Seq[string], special []string) (*Tokenizer, error) {
	seen := map[rune]bool{}
	for text := range texts {
		for _, r := range text {
			seen[r] = true
		}
	}
	if len(seen) == 0 {
		return nil, errors.New("making a tokenizer of characters: there are none")
	}
	var characters []rune
	for r := range seen {
		characters = append(characters, r)
	}
	slices.Sort(characters)
	v := characterVocabulary{ids: map[string]int{}}
	for _, s := range special {
		if _, ok := v.ids[s]; ok || s == "" || len([]rune(s)) == 1 {
			return nil, fmt.Errorf("making a tokenizer of characters: the special token %q is empty, a character or named twice", s)
		}
		v.add(s)
	}
	for _, r := range characters {
		v.character(string(r))
	}
	return v.tokenizer(special)
}

// characterVocabulary collects tokens as they are spelled, and merges.
type characterVocabulary struct {
	ids    map[string]int
	merges [][2]string
}

func (v *characterVocabulary) add(token string) {
	if _, ok := v.ids[token]; !ok {
		v.ids[token] = len(v.ids)
	}
}

// character adds a character: its bytes, and its beginnings up to itself.
func (v *characterVocabulary) character(c string) {
	for i := range len(c) {
		v.add(spell(c[i : i+1]))
	}
	for n := 2; n <= len(c); n++ {
		if whole := spell(c[:n]); !v.has(whole) {
			v.merges = append(v.merges, [2]string{spell(c[:n-1]), spell(c[n-1 : n])})
			v.add(whole)
		}
	}
}

func (v *characterVocabulary) has(token string) bool {
	_, ok := v.ids[token]
	return ok
}

// tokenizer writes a tokenizer.json and reads it.
func (v *characterVocabulary) tokenizer(special []string) (*Tokenizer, error) {
	type object = map[string]any
	added := []object{}
	for _, s := range special {
		added = append(added, object{
			"id": v.ids[s], "content": s, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
		})
	}
	byteLevel := object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	data, err := json.Marshal(object{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added, "normalizer": nil,
		"pre_tokenizer": byteLevel, "post_processor": nil, "decoder": byteLevel,
		"model": object{
			"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": v.ids, "merges": v.merges,
		},
	}, json.Deterministic(true), json.FormatNilSliceAsNull(false))
	if err != nil {
		return nil, fmt.Errorf("making a tokenizer of characters: %w", err)
	}
	return Parse(data)
}
