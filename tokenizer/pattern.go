package tokenizer

import (
	"math/bits"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Pattern names the rule that cuts text into words before merging; merges never
// cross the border of a word.
type Pattern int

const (
	// GPT2 is the pattern of GPT-2 (Radford et al. 2019): letters, digits and other
	// signs apart, each with at most one space before it, and English contractions:
	//
	//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
	GPT2 Pattern = iota
	// Spaces cuts at white space only, as translation wants it:
	//
	//	 ?\S+|\s+
	Spaces

	// The patterns below are read, not trained with.

	// llama3 is the pattern of Llama 3 and of tiktoken's cl100k_base: GPT2 with
	// contractions in either case, any sign before letters, at most three digits, and
	// line ends that stay with the signs or white space before them.
	llama3
	// qwen is llama3 with single digits.
	qwen
	// metaspace begins a word at each ▁.
	metaspaceWords
	// underlines begins a word at each run of ▁.
	underlines
	// bertWords cuts out white space, which becomes no token, and each punctuation sign.
	bertWords
	// uncut leaves the text as it is.
	uncut
)

// splitter cuts text by a pattern. All patterns cover every text without gaps, and
// where a word ends depends on nothing before its first byte.
type splitter struct {
	pattern Pattern
	classes *runeClasses
}

func newSplitter(p Pattern) splitter { return splitter{p, classesOnce()} }

// next returns where the word that begins at text[i] ends; i must be inside text.
func (s *splitter) next(text string, i int) int {
	switch s.pattern {
	case GPT2:
		return s.nextGPT2(text, i)
	case Spaces:
		return s.nextSpaces(text, i)
	case llama3:
		return s.nextLlama3(text, i, 3)
	case qwen:
		return s.nextLlama3(text, i, 1)
	case metaspaceWords:
		return nextMetaspace(text, i)
	case underlines:
		return nextUnderline(text, i)
	case bertWords:
		return s.nextBert(text, i)
	}
	return len(text)
}

// silent reports whether a word becomes no token.
func (s *splitter) silent(word string) bool {
	if s.pattern != bertWords {
		return false
	}
	class, _ := s.classAt(word, 0)
	return class == space
}

func (s *splitter) nextGPT2(text string, i int) int {
	j := i
	switch text[i] {
	case '\'':
		if n := contraction(text[i+1:]); n > 0 {
			return i + 1 + n
		}
	case ' ':
		if j++; j == len(text) {
			return j
		}
	}
	if class := byteClass[text[j]]; class < space { // ASCII and no white space: most words
		return s.run(text, j+1, class)
	}
	class, width := s.classAt(text, j)
	if class != space {
		return s.run(text, j+width, class)
	}
	// A run of white space leaves its last character to the word that follows: \s+(?!\S).
	last := i
	for j = i; j < len(text); j += width {
		if class, width = s.classAt(text, j); class != space {
			break
		}
		last = j
	}
	if j == len(text) || last == i {
		return j
	}
	return last
}

// contraction returns the length of the English ending at the start of text, which
// follows an apostrophe, or 0.
func contraction(text string) int {
	if len(text) == 0 {
		return 0
	}
	switch text[0] {
	case 's', 't', 'm', 'd':
		return 1
	case 'r', 'v':
		if len(text) > 1 && text[1] == 'e' {
			return 2
		}
	case 'l':
		if len(text) > 1 && text[1] == 'l' {
			return 2
		}
	}
	return 0
}

// run returns the end of the run of one class that goes on at text[i].
func (s *splitter) run(text string, i int, class uint8) int {
	for i < len(text) {
		if class == letter && i+8 <= len(text) {
			n := asciiLetters(load8(text, i))
			if i += n; n == 8 {
				continue
			}
		}
		c := byteClass[text[i]]
		if c == class {
			i++
			continue
		}
		if c != wide {
			return i
		}
		r, width := utf8.DecodeRuneInString(text[i:])
		if s.classes.of(r) != class {
			return i
		}
		i += width
	}
	return i
}

// load8 returns the eight bytes of text at i, the first one lowest.
func load8(text string, i int) uint64 {
	b := text[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

const (
	eachByte = 0x0101010101010101
	highBits = 0x80 * eachByte
)

// asciiLetters returns how many of eight bytes, from the lowest, are ASCII letters:
// all eight are tested at once, each by whether a sum reaches its highest bit.
func asciiLetters(x uint64) int {
	lower := (x | 0x20*eachByte) &^ highBits
	letters := (lower + (0x80-'a')*eachByte) &^ (lower + (0x7F-'z')*eachByte) &^ x & highBits
	return bits.TrailingZeros64(letters^highBits) / 8
}

// asciiSigns returns how many of eight bytes, from the lowest, are ASCII and above
// the space.
func asciiSigns(x uint64) int {
	return bits.TrailingZeros64(((x-0x21*eachByte)&^x|x)&highBits) / 8
}

func (s *splitter) nextSpaces(text string, i int) int {
	begin := i
	if text[i] == ' ' {
		begin++
	}
	for j := begin; j < len(text); {
		if j+8 <= len(text) {
			n := asciiSigns(load8(text, j))
			if j += n; n == 8 {
				continue
			}
		}
		class, width := s.classAt(text, j)
		if class == space {
			if j > begin {
				return j
			}
			return s.run(text, i, space)
		}
		j += width
	}
	return len(text)
}

// Classes of characters, as the patterns know them. wide marks, in byteClass
// only, a byte of a character beyond ASCII.
const (
	other uint8 = iota
	letter
	number
	space
	wide
)

var byteClass = func() (t [256]uint8) {
	for c := range t {
		switch r := rune(c); {
		case r >= utf8.RuneSelf:
			t[c] = wide
		case unicode.IsLetter(r):
			t[c] = letter
		case unicode.IsNumber(r):
			t[c] = number
		case unicode.IsSpace(r):
			t[c] = space
		}
	}
	return t
}()

// classAt returns the class and width of the character at text[i]. A byte that
// is not UTF-8 is a character of its own, of class other.
func (s *splitter) classAt(text string, i int) (class uint8, width int) {
	if c := byteClass[text[i]]; c != wide {
		return c, 1
	}
	r, width := utf8.DecodeRuneInString(text[i:])
	return s.classes.of(r), width
}

// runeClasses holds the class of every code point, two bits each.
type runeClasses [(unicode.MaxRune + 1) / 4]uint8

func (t *runeClasses) of(r rune) uint8 { return t[r>>2] >> (uint(r&3) * 2) & 3 }

var classesOnce = sync.OnceValue(func() *runeClasses {
	t := new(runeClasses)
	fill := func(table *unicode.RangeTable, class uint8) {
		for _, r := range table.R16 {
			for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
				t[c>>2] |= class << (uint(c&3) * 2)
			}
		}
		for _, r := range table.R32 {
			for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
				t[c>>2] |= class << (uint(c&3) * 2)
			}
		}
	}
	fill(unicode.L, letter)
	fill(unicode.N, number)
	fill(unicode.White_Space, space)
	fill(lettersOfUnicode16, letter)
	fill(numbersOfUnicode16, number)
	return t
})

// The letters and numbers that Unicode 15.1 and 16 added to Go's tables of 15.0,
// so that newer scripts are cut as Oniguruma (the reference's engine) cuts them.
var (
	lettersOfUnicode16 = &unicode.RangeTable{
		R16: []unicode.Range16{{0x1C89, 0x1C8A, 1}, {0xA7CB, 0xA7CD, 1}, {0xA7DA, 0xA7DC, 1}},
		R32: []unicode.Range32{
			{0x105C0, 0x105F3, 1}, {0x10D4A, 0x10D65, 1}, {0x10D6F, 0x10D85, 1}, {0x10EC2, 0x10EC4, 1},
			{0x11380, 0x11389, 1}, {0x1138B, 0x1138B, 1}, {0x1138E, 0x1138E, 1}, {0x11390, 0x113B5, 1}, {0x113B7, 0x113B7, 1},
			{0x113D1, 0x113D1, 1}, {0x113D3, 0x113D3, 1}, {0x11BC0, 0x11BE0, 1}, {0x13460, 0x143FA, 1}, {0x16100, 0x1611D, 1},
			{0x16D40, 0x16D6C, 1}, {0x18CFF, 0x18CFF, 1}, {0x1E5D0, 0x1E5ED, 1}, {0x1E5F0, 0x1E5F0, 1}, {0x2EBF0, 0x2EE5D, 1},
		},
	}
	numbersOfUnicode16 = &unicode.RangeTable{
		R32: []unicode.Range32{
			{0x10D40, 0x10D49, 1}, {0x116D0, 0x116E3, 1}, {0x11BF0, 0x11BF9, 1}, {0x16130, 0x16139, 1},
			{0x16D70, 0x16D79, 1}, {0x1CCF0, 0x1CCF9, 1}, {0x1E5F1, 0x1E5FA, 1},
		},
	}
)
