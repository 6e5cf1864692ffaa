package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Stream decodes ids one at a time, as a model makes them. What it returns never ends
// inside a character: the bytes of one are kept back until it is complete.
//
// All that Next and End return, put together, is what [Tokenizer.Decode] returns for all
// ids, if their bytes are valid UTF-8.
type Stream struct {
	tokenizer   *Tokenizer
	skipSpecial bool

	begun   bool // some token became text
	spoke   bool // some text was returned
	strip   strip
	pending string // the beginning of a character, or white space that may be the end
	byBytes bool   // what is pending came from byte tokens
}

// Stream returns a decoder for one text; skipSpecial is as in [Tokenizer.Decode].
func (t *Tokenizer) Stream(skipSpecial bool) *Stream {
	return &Stream{tokenizer: t, skipSpecial: skipSpecial, strip: t.decoder.strip}
}

// Next takes the next id and returns the text that is complete with it, which may be "".
func (s *Stream) Next(id int32) string {
	t := s.tokenizer
	if !t.speaks(id, s.skipSpecial) {
		return ""
	}
	text, isByte := t.text(id, !s.begun), t.isByte(id)
	s.begun = s.begun || text != "" || !t.decoder.waits
	switch {
	case s.byBytes && !isByte: // what is pending will not become a character
		text = mend(s.pending) + text
	case s.pending != "":
		text = s.pending + text
	}
	s.byBytes = isByte
	text, s.strip = s.strip.left(text)
	if t.decoder.trim && !s.spoke {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
	}
	end := s.complete(text)
	text, s.pending = text[:end], text[end:]
	s.spoke = s.spoke || text != ""
	if isByte {
		return mend(text)
	}
	return text
}

// End returns what is left when no more ids come.
func (s *Stream) End() string {
	rest := s.pending
	s.pending = ""
	if s.byBytes {
		rest = mend(rest)
	}
	if s.tokenizer.decoder.trim {
		rest = strings.TrimSpace(rest)
	}
	return rest
}

// complete returns how much of text can be returned.
func (s *Stream) complete(text string) int {
	if s.tokenizer.decoder.trim {
		return len(strings.TrimRightFunc(text, unicode.IsSpace))
	}
	return completeCharacters(text)
}

// completeCharacters returns where the character begins that text ends inside of,
// len(text) if there is none.
func completeCharacters(text string) int {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax+1); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRuneInString(text[i:]) {
				return i
			}
			break
		}
	}
	return len(text)
}

// mend makes each byte that is not UTF-8 a U+FFFD.
func mend(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return string([]rune(text))
}
