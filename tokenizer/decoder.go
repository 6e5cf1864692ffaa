package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// decoder says what text tokens stand for.
type decoder struct {
	// first turns a token, as it is spelled, into the text that it stands for at the
	// beginning; nil where that is the text that it stands for elsewhere.
	first func(token string) string
	// waits has first turn tokens until there is a text that is not empty.
	waits bool
	// bytes marks, by id, tokens of single bytes <0xNN> whose runs are characters.
	bytes []bool
	// apart keeps the characters of a run in which not all is one.
	apart bool
	strip strip // of the whole text
	trim  bool  // white space at both ends of the whole text is left out
}

// strip removes up to n times the same character from the start of a text.
type strip struct {
	content rune
	n       int
}

// left returns text without what is stripped, and what is still to be stripped from a
// text that follows it.
func (s strip) left(text string) (string, strip) {
	for s.n > 0 && text != "" {
		r, width := utf8.DecodeRuneInString(text)
		if r != s.content {
			return text, strip{}
		}
		text = text[width:]
		s.n--
	}
	return text, s
}

// Decode returns the text of ids, leaving out special tokens if skipSpecial is set,
// and ids that the vocabulary lacks. Where tokens are bytes, and ids end inside a
// character, the text is not valid UTF-8 ([strings.ToValidUTF8] mends that); tokens such
// as <0xE2> that do not make up characters become U+FFFD.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	var b strings.Builder
	var run []byte
	first := true
	for _, id := range ids {
		if !t.speaks(id, skipSpecial) {
			continue
		}
		if t.isByte(id) {
			run = append(run, t.raw[id]...)
		} else {
			b.WriteString(t.decoder.run(run))
			run = run[:0]
			b.WriteString(t.text(id, first))
		}
		first = t.decoder.waits && b.Len()+len(run) == 0
	}
	b.WriteString(t.decoder.run(run))
	text, _ := t.decoder.strip.left(b.String())
	if t.decoder.trim {
		text = strings.TrimSpace(text)
	}
	return text
}

// speaks reports whether an id becomes text.
func (t *Tokenizer) speaks(id int32, skipSpecial bool) bool {
	return id >= 0 && int(id) < len(t.raw) && !(skipSpecial && t.special[id])
}

func (t *Tokenizer) isByte(id int32) bool {
	return int(id) < len(t.decoder.bytes) && t.decoder.bytes[id]
}

// text returns what an id stands for.
func (t *Tokenizer) text(id int32, first bool) string {
	if first && t.decoder.first != nil && !t.isByte(id) {
		return t.decoder.first(t.decodes(id, t.spelled[id]))
	}
	return t.raw[id]
}

// decodes returns what the decoder is given for a token: an added one is what the normalizer makes of it, if that is how
// it is looked for.
func (t *Tokenizer) decodes(id int32, token string) string {
	if normalized, ok := t.decoded[id]; ok {
		return normalized
	}
	return token
}

// run returns the text of the bytes of consecutive byte tokens. Unless all are characters,
// each byte is U+FFFD or, if characters are kept apart, each of the others.
func (d *decoder) run(bytes []byte) string {
	if d.apart || utf8.Valid(bytes) {
		return mend(string(bytes))
	}
	return strings.Repeat(string(utf8.RuneError), len(bytes))
}
