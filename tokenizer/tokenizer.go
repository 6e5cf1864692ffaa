package tokenizer

import (
	"math/rand/v2"
	"strings"
	"sync"
	"unicode/utf8"
)

// Tokenizer encodes text as token ids and decodes ids as text. It is immutable
// and safe for many goroutines at once.
type Tokenizer struct {
	spelled []string         // by id, as the vocabulary spells a token; "" where there is none
	raw     []string         // by id, the text that a token stands for where it is not the first
	ids     map[string]int32 // id of a token as it is spelled

	passes  []pass   // what cuts a text into parts
	steps   []step   // what cuts a part further
	words   splitter // what cuts what is left into words
	model   model    // what cuts words into tokens
	whole   bool     // the model remembers what it cuts itself
	valid   bool     // text is made valid UTF-8 first
	decoder decoder

	special        map[int32]bool
	decoded        map[int32]string // what added tokens are decoded from, where that is not how they are spelled
	prefix, suffix []int32          // what the post-processor puts around a text

	file *file // what tokenizer.json says, for writing; nil if the tokenizer is of another format

	idle struct {
		sync.Mutex
		encoders []*encoder
	}
}

// pass normalizes text and cuts it by added tokens. There are two: one looks for those
// that are to be found in text as it is, the other for those in normalized text.
type pass struct {
	normalize normalizers
	added     matcher
}

// model cuts words into tokens.
type model interface {
	// append appends the ids of one word, which is not empty, to dst.
	append(e *encoder, dst []int32, word string) []int32
}

// Size returns the number of ids: one more than the highest.
func (t *Tokenizer) Size() int { return len(t.spelled) }

// ID returns the id of a token as the vocabulary spells it ("Ġthe", "▁the", "</s>").
func (t *Tokenizer) ID(token string) (int32, bool) {
	id, ok := t.ids[token]
	return id, ok
}

// Token returns the token of an id as the vocabulary spells it, where a space may be
// "Ġ" or "▁".
func (t *Tokenizer) Token(id int32) (string, bool) {
	if id < 0 || int(id) >= len(t.spelled) || t.spelled[id] == "" {
		return "", false
	}
	return t.spelled[id], true
}

// Special reports whether id is a special token, one that plain text never becomes.
func (t *Tokenizer) Special(id int32) bool { return t.special[id] }

// Prefix and Suffix return the ids that the post-processor puts before and after
// a text, for callers that build a sequence with [Tokenizer.Append]. The slices
// belong to the tokenizer and are not to be changed.
func (t *Tokenizer) Prefix() []int32 { return t.prefix }

// Suffix is described at [Tokenizer.Prefix].
func (t *Tokenizer) Suffix() []int32 { return t.suffix }

// Encode returns the ids of text. Special tokens spelled out in the text are
// recognised, so it is for text that the program itself wrote; the post-processor
// adds nothing.
func (t *Tokenizer) Encode(text string) []int32 {
	e := t.acquire()
	defer t.release(e)
	return t.appendText(e, nil, text, false)
}

// EncodeSpecial is Encode with what the post-processor puts around the text.
func (t *Tokenizer) EncodeSpecial(text string) []int32 {
	e := t.acquire()
	defer t.release(e)
	dst := append([]int32(nil), t.prefix...)
	dst = t.appendText(e, dst, text, false)
	return append(dst, t.suffix...)
}

// Append appends the ids of text from outside to dst: special tokens spelled out in
// it are plain text like any other. Once the tokenizer is warm it allocates nothing
// but what grows dst, normalized text, and words of many thousand bytes.
func (t *Tokenizer) Append(dst []int32, text string) []int32 {
	e := t.acquire()
	defer t.release(e)
	return t.appendText(e, dst, text, true)
}

// AppendDropout is Append with BPE-dropout (Provilkov et al. 2020): every possible
// merge is left out with probability p each time it comes up, so that the same text is
// cut differently each time. p = 0 is Append; p = 1 gives single bytes. The result
// depends on text, p and the state of rng alone. Models other than BPE leave nothing out.
func (t *Tokenizer) AppendDropout(dst []int32, text string, p float64, rng *rand.Rand) []int32 {
	e := t.acquire()
	defer t.release(e)
	e.drop = dropout{p, rng}
	return t.appendText(e, dst, text, true)
}

// Tokens returns the tokens of text as [Tokenizer.Encode] cuts it. A token is spelled as
// in the vocabulary; where a Unigram model lacks characters of the text it is those
// characters, though their id is that of the unknown token.
func (t *Tokenizer) Tokens(text string) []string {
	e := t.acquire()
	defer t.release(e)
	e.noting = true
	ids := t.appendText(e, nil, text, false)
	tokens := make([]string, len(ids))
	for i, id := range ids {
		tokens[i] = t.spelled[id]
	}
	for _, n := range e.notes {
		tokens[n.index] = n.surface
	}
	return tokens
}

// byteRunes is the printable character that stands for each byte in a vocabulary
// (GPT-2's bytes_to_unicode): itself where it is printable, else one from U+0100 on.
// runeBytes is its inverse, noToken elsewhere.
var byteRunes, runeBytes = func() (runes [256]rune, inverse [256 + 68]int16) {
	for i := range inverse {
		inverse[i] = -1
	}
	next := rune(256)
	for b := range rune(256) {
		r := b
		if b < '!' || b > '~' && b < 0xA1 || b == 0xAD {
			r = next
			next++
		}
		runes[b] = r
		inverse[r] = int16(b)
	}
	return runes, inverse
}()

// spell returns bytes as a vocabulary spells them.
func spell(bytes string) string {
	var b strings.Builder
	for i := range len(bytes) {
		b.WriteRune(byteRunes[bytes[i]])
	}
	return b.String()
}

// unspell returns the bytes that a vocabulary entry stands for; one with any other
// character stands for itself, as in the reference.
func unspell(token string) string {
	plain := true
	for _, r := range token {
		if int(r) >= len(runeBytes) || runeBytes[r] < 0 {
			return token
		}
		plain = plain && r < utf8.RuneSelf
	}
	if plain {
		return token
	}
	b := make([]byte, 0, len(token))
	for _, r := range token {
		b = append(b, byte(runeBytes[r]))
	}
	return string(b)
}
