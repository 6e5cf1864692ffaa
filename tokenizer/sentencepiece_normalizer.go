package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// sentencePieceNormalizer does to text what SentencePiece does before it cuts it: it maps
// characters, the longest entry of the map first, leaves out white space, puts a space
// before the text, and writes ▁ for spaces.
type sentencePieceNormalizer struct {
	*charMap
	user  matcher   // user-defined pieces, which stay as they are
	stays [256]bool // ASCII but for the space that stays what it is when ASCII follows, or nothing

	addDummyPrefix, removeExtra, suffixSpace bool
	space                                    string // what is written for a space
	plainSpace                               bool   // a space is a space when ASCII follows, or nothing
}

func (m *sentencePieceModel) normalizer() (*sentencePieceNormalizer, error) {
	n := &sentencePieceNormalizer{
		user:           newMatcher(m.userTokens(make([]int32, len(m.pieces)))),
		addDummyPrefix: m.addDummyPrefix, removeExtra: m.removeExtra, suffixSpace: m.suffixSpace, space: " ",
	}
	if m.escapeSpaces {
		n.space = underline
	}
	data := m.charMap
	if len(data) == 0 {
		data = make([]byte, 4) // a trie of no units
	}
	var err error
	if n.charMap, err = newCharMap(data); err != nil {
		return nil, err
	}
	for c := range n.plain {
		n.stays[c] = n.plain[c] && !n.user.first[c] && c != ' '
	}
	n.plainSpace = n.plain[' '] && !n.user.first[' ']
	return n, nil
}

func (n *sentencePieceNormalizer) normalize(text string) string {
	for n.removeExtra && text != "" {
		mapped, width := n.next(text)
		if mapped != " " {
			break
		}
		text = text[width:]
	}
	if text == "" {
		return ""
	}
	var b strings.Builder
	b.Grow(len(text) + len(text)/2 + len(n.space))
	if n.addDummyPrefix && !n.suffixSpace {
		b.WriteString(n.space)
	}
	n.write(&b, text)
	text = b.String()
	if n.removeExtra {
		for strings.HasSuffix(text, n.space) {
			text = text[:len(text)-len(n.space)]
		}
	}
	if n.addDummyPrefix && n.suffixSpace {
		text += n.space
	}
	return text
}

// write writes text without white space that follows other white space.
func (n *sentencePieceNormalizer) write(b *strings.Builder, text string) {
	afterSpace := n.removeExtra
	for text != "" {
		if end := n.wordEnd(text); end > 0 {
			b.WriteString(text[:end])
			text, afterSpace = text[end:], false
			continue
		}
		mapped, width := " ", 1
		if text[0] != ' ' || !n.plainSpace || len(text) > 1 && text[1] >= utf8.RuneSelf {
			mapped, width = n.next(text)
		}
		text = text[width:]
		if afterSpace {
			mapped = strings.TrimLeft(mapped, " ")
		}
		switch mapped {
		case "":
			continue
		case " ":
			b.WriteString(n.space)
		default:
			b.WriteString(replaceAll(mapped, " ", n.space))
		}
		afterSpace = n.removeExtra && mapped[len(mapped)-1] == ' '
	}
}

// wordEnd returns where the run of characters at the start of text ends that stay what
// they are whatever the rest is.
func (n *sentencePieceNormalizer) wordEnd(text string) int {
	i := 0
	for i < len(text) && n.stays[text[i]] {
		i++
	}
	if 0 < i && i < len(text) && text[i] >= utf8.RuneSelf {
		i--
	}
	return i
}

// next returns what the beginning of text becomes, and how long that beginning is.
func (n *sentencePieceNormalizer) next(text string) (mapped string, width int) {
	if a, ok := n.user.at(text, 0); ok {
		return a.content, len(a.content)
	}
	if mapped, width = n.prefix(text, true); width > 0 {
		return mapped, width
	}
	width = characterAt(text, 0)
	return text[:width], width
}
