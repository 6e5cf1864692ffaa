package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// underline is the sign that stands for a space in vocabularies of SentencePiece.
const underline = "▁"

// nextMetaspace returns where the next ▁ after text[i] begins.
func nextMetaspace(text string, i int) int {
	first := min(i+len(underline), len(text))
	if text[i:first] != underline {
		first = i
	}
	if n := indexUnderline(text[first:]); n >= 0 {
		return first + n
	}
	return len(text)
}

// nextUnderline returns where the next run of ▁ after text[i] begins.
func nextUnderline(text string, i int) int {
	for strings.HasPrefix(text[i:], underline) {
		i += len(underline)
	}
	if n := indexUnderline(text[i:]); n >= 0 {
		return i + n
	}
	return len(text)
}

// indexUnderline is strings.Index for words, which are short.
func indexUnderline(text string) int {
	for i := 0; i+len(underline) <= len(text); i++ {
		if text[i] == underline[0] && text[i+1] == underline[1] && text[i+2] == underline[2] {
			return i
		}
	}
	return -1
}

// nextBert returns the end of the run of white space, the sign, or the run of other
// characters that begins at text[i].
func (s *splitter) nextBert(text string, i int) int {
	kind, width := s.bertKind(text, i)
	i += width
	for kind != bertSign && i < len(text) {
		k, width := s.bertKind(text, i)
		if k != kind {
			break
		}
		i += width
	}
	return i
}

// What BERT takes a character for.
const (
	bertWord = iota
	bertSpace
	bertSign
)

func (s *splitter) bertKind(text string, i int) (kind, width int) {
	class, width := s.classAt(text, i)
	switch {
	case class == space:
		return bertSpace, width
	case class != other:
		return bertWord, width
	}
	if r, _ := utf8.DecodeRuneInString(text[i:]); punctuation(r) {
		return bertSign, width
	}
	return bertWord, width
}
