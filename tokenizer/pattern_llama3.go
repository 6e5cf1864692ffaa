package tokenizer

import (
	"unicode/utf8"
)

// nextLlama3 returns where the word that begins at text[i] ends, with at most digits
// digits in one word:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
func (s *splitter) nextLlama3(text string, i, digits int) int {
	if text[i] == '\'' {
		if n := foldedContraction(text[i+1:]); n > 0 {
			return i + 1 + n
		}
	}
	class, width := s.classAt(text, i)
	j := i + width
	switch {
	case class == letter:
		return s.run(text, j, letter)
	case class == number:
		return s.digits(text, j, digits-1)
	case text[i] == '\r' || text[i] == '\n' || j == len(text):
	default:
		next, width := s.classAt(text, j)
		if next == letter {
			return s.run(text, j+width, letter)
		}
		if class == other {
			return lineEnds(text, s.run(text, j, other))
		}
		if text[i] == ' ' && next == other {
			return lineEnds(text, s.run(text, j+width, other))
		}
	}
	if class == other {
		return lineEnds(text, j)
	}
	return s.blanks(text, i)
}

// digits returns the end of at most n more digits at text[i].
func (s *splitter) digits(text string, i, n int) int {
	for ; n > 0 && i < len(text); n-- {
		class, width := s.classAt(text, i)
		if class != number {
			break
		}
		i += width
	}
	return i
}

// lineEnds returns the end of the run of line ends at text[i].
func lineEnds(text string, i int) int {
	for i < len(text) && (text[i] == '\r' || text[i] == '\n') {
		i++
	}
	return i
}

// blanks returns the end of the word that begins with white space at text[i] and holds
// nothing else: up to the last line end, or all but what belongs to the word after it.
func (s *splitter) blanks(text string, i int) int {
	lineEnd, last, j := -1, i, i
	for j < len(text) {
		class, width := s.classAt(text, j)
		if class != space {
			break
		}
		last = j
		j += width
		if text[last] == '\r' || text[last] == '\n' {
			lineEnd = j
		}
	}
	if lineEnd >= 0 {
		return lineEnd
	}
	if j == len(text) || last == i {
		return j
	}
	return last
}

// foldedContraction is contraction in either case, as Unicode folds it: ſ is an s.
func foldedContraction(text string) int {
	if len(text) == 0 {
		return 0
	}
	switch text[0] | 0x20 {
	case 's', 't', 'm', 'd':
		return 1
	case 'r', 'v':
		if len(text) > 1 && text[1]|0x20 == 'e' {
			return 2
		}
	case 'l':
		if len(text) > 1 && text[1]|0x20 == 'l' {
			return 2
		}
	}
	if r, width := utf8.DecodeRuneInString(text); r == 'ſ' {
		return width
	}
	return 0
}
