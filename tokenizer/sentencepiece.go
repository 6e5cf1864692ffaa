package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// LoadSentencePiece reads a .model or .spm of SentencePiece (Kudo and Richardson 2018),
// with a Unigram or BPE model; see [ParseSentencePiece].
func LoadSentencePiece(path string) (*Tokenizer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the tokenizer: %w", err)
	}
	t, err := ParseSentencePiece(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// ParseSentencePiece reads the content of a .model or .spm. The tokenizer's Append
// encodes as SentencePiece does; Encode recognises control pieces such as </s> in
// addition. It has neither prefix nor suffix, since the file does not say which are
// wanted, and cannot be written as tokenizer.json.
func ParseSentencePiece(data []byte) (*Tokenizer, error) {
	m, err := readSentencePieceModel(data)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{special: map[int32]bool{}, valid: true, words: newSplitter(uncut)}
	ids := make([]int32, len(m.pieces))
	v := make(vocabulary, len(m.pieces))
	for i, p := range m.pieces {
		ids[i], v[i] = int32(i), vocabEntry{p.text, int32(i)}
	}
	if err := t.nameAll(v, 0); err != nil {
		return nil, err
	}
	var control []addedToken
	unk := noToken
	for i, p := range m.pieces {
		switch p.kind {
		case controlPiece:
			t.special[int32(i)] = true
			control = append(control, addedToken{id: int32(i), content: p.text, special: true})
		case unknownPieceKind:
			unk = int32(i)
		}
	}
	if err := m.segment(t, ids, unk); err != nil {
		return nil, err
	}
	t.passes = slices.Insert(t.passes, 0, pass{added: newMatcher(control)})
	m.decode(t)
	return t, nil
}

// Framed has the tokenizer of a SentencePiece model, which was just read and is nobody else's yet, put tokens before and after
// each text, for [Tokenizer.EncodeSpecial], and returns it.
func (t *Tokenizer) Framed(before, after []string) (*Tokenizer, error) {
	if t.file != nil {
		panic("tokenizer: Framed of a tokenizer.json, which has a post-processor")
	}
	var frame [2][]int32
	for i, names := range [][]string{before, after} {
		for _, name := range names {
			id, ok := t.ids[name]
			if !ok {
				return nil, fmt.Errorf("the vocabulary lacks %q, which begins or ends a text", name)
			}
			frame[i] = append(frame[i], id)
		}
	}
	t.prefix, t.suffix = frame[0], frame[1]
	return t, nil
}

// segment sets up how t cuts text into pieces, whose ids are given by their numbers.
func (m *sentencePieceModel) segment(t *Tokenizer, ids []int32, unk int32) error {
	normalize, err := m.normalizer()
	if err != nil {
		return err
	}
	p := pass{normalize: normalizers{normalize}}
	switch m.kind {
	case sentencePieceUnigram:
		p.added = newMatcher(nil)
		t.model = newSingleUnigram(m.unigram(ids, unk), len(t.spelled), m.escapeSpaces && m.underlinesBegin())
		t.whole = true
	case sentencePieceBPE:
		p.added = newMatcher(m.userTokens(ids))
		if t.model, err = m.bpe(ids, unk); err != nil {
			return err
		}
		if m.escapeSpaces && m.underlinesBegin() {
			t.words.pattern = underlines
		}
	default:
		return fmt.Errorf("the model type %d is not supported, only Unigram (1) and BPE (2)", m.kind)
	}
	t.passes = []pass{p}
	return nil
}

// userTokens are the user-defined pieces, which are found in any text.
func (m *sentencePieceModel) userTokens(ids []int32) (tokens []addedToken) {
	for i, p := range m.pieces {
		if p.kind == userPiece {
			tokens = append(tokens, addedToken{id: ids[i], content: p.text})
		}
	}
	return tokens
}

// byteIDs returns the ids of the pieces of single bytes, if they are used.
func (m *sentencePieceModel) byteIDs(ids []int32) (bytes [256]int32) {
	for b := range bytes {
		bytes[b] = noToken
	}
	for i, p := range m.pieces {
		if b, ok := byteOfToken(p.text); ok && m.byteFallback && p.kind == bytePiece {
			bytes[b] = ids[i]
		}
	}
	return bytes
}

// unigram makes the model of a Unigram file, whose sums are in single precision.
func (m *sentencePieceModel) unigram(ids []int32, unk int32) *unigram {
	u := &unigram{unk: unk, rest: noToken, single: true, bytes: m.byteIDs(ids)}
	lowest, highest := float32(math.MaxFloat32), float32(0x1p-126)
	for _, p := range m.pieces {
		if p.kind == normalPiece {
			lowest, highest = min(lowest, p.score), max(highest, p.score)
		}
	}
	u.price = float64(lowest - unknownPenalty)
	var keys []trieKey
	for i, p := range m.pieces {
		score := float64(p.score)
		switch p.kind {
		case userPiece: // a bonus that no other piece can reach
			score = float64(float32(float64(float32(len(p.text))*highest) - 0.1))
			fallthrough
		case normalPiece:
			keys = append(keys, trieKey{p.text, int32(len(u.pieces))})
			u.pieces = append(u.pieces, piece{ids[i], score})
		}
	}
	u.trie = newTrie(keys)
	return u
}

// bpe makes the model of a BPE file: any two neighbours merge that make a piece
// together, those of the highest score first.
func (m *sentencePieceModel) bpe(ids []int32, unk int32) (*bpe, error) {
	known := map[string]int32{}
	var ranked []int
	for i, p := range m.pieces {
		switch p.kind {
		case unusedPiece:
			return nil, fmt.Errorf("piece %d, %q, is unused, which is not supported in a BPE model", i, p.text)
		case normalPiece, userPiece:
			known[p.text] = ids[i]
			ranked = append(ranked, i)
		}
	}
	slices.SortStableFunc(ranked, func(a, b int) int { return cmp.Compare(m.pieces[b].score, m.pieces[a].score) })
	pairs := 0
	for _, i := range ranked {
		pairs += max(utf8.RuneCountInString(m.pieces[i].text)-1, 0)
	}
	if pairs > maxCells {
		return nil, errors.New("the pieces are too long")
	}
	b := &bpe{chars: newCharTable(known), bytes: m.byteIDs(ids), unk: unk, fuse: true, merges: newPairTable(pairs)}
	rank := int32(0)
	for n, i := range ranked {
		if n > 0 && m.pieces[i].score != m.pieces[ranked[n-1]].score {
			rank++
		}
		text := m.pieces[i].text
		for at := range text {
			left, lok := known[text[:at]]
			right, rok := known[text[at:]]
			if lok && rok {
				b.merges.add(left, right, rank, ids[i])
			}
		}
	}
	return b, nil
}

// underlinesBegin reports whether no piece has something else before ▁, so that text may
// be cut there without any difference.
func (m *sentencePieceModel) underlinesBegin() bool {
	begin := false
	for _, p := range m.pieces {
		if p.kind != normalPiece && p.kind != userPiece {
			continue
		}
		if underlineInside(p.text) {
			return false
		}
		begin = begin || p.text == underline
	}
	return begin
}

// decode sets up what pieces stand for.
func (m *sentencePieceModel) decode(t *Tokenizer) {
	t.raw = make([]string, len(t.spelled))
	t.decoder.bytes, t.decoder.apart = make([]bool, len(t.spelled)), true
	text := make(map[string]string, len(m.pieces))
	for _, p := range m.pieces {
		switch p.kind {
		case bytePiece:
			if b, ok := byteOfToken(p.text); ok {
				text[p.text] = string([]byte{b})
			}
		case unknownPieceKind:
			text[p.text] = m.unkSurface
		}
	}
	for id, token := range t.spelled {
		if special, ok := text[token]; ok {
			t.raw[id] = special
			_, t.decoder.bytes[id] = byteOfToken(token)
			continue
		}
		t.raw[id] = strings.ReplaceAll(token, underline, " ")
	}
	if !m.addDummyPrefix && !m.removeExtra {
		return
	}
	t.decoder.waits = m.removeExtra
	t.decoder.first = func(token string) string {
		if special, ok := text[token]; ok {
			return special
		}
		return strings.ReplaceAll(strings.TrimPrefix(token, underline), underline, " ")
	}
}
