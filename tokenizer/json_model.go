package tokenizer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

type bpeFile struct {
	Type                    string     `json:"type"`
	Dropout                 *float64   `json:"dropout"`
	UnkToken                *string    `json:"unk_token"`
	ContinuingSubwordPrefix *string    `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string    `json:"end_of_word_suffix"`
	FuseUnk                 bool       `json:"fuse_unk"`
	ByteFallback            bool       `json:"byte_fallback"`
	IgnoreMerges            bool       `json:"ignore_merges"`
	Vocab                   vocabulary `json:"vocab"`
	Merges                  mergeList  `json:"merges"`
}

type unigramFile struct {
	Type         string    `json:"type"`
	UnkID        *int32    `json:"unk_id"`
	Vocab        scoreList `json:"vocab"`
	ByteFallback bool      `json:"byte_fallback"`
}

type wordPieceFile struct {
	Type                    string     `json:"type"`
	UnkToken                string     `json:"unk_token"`
	ContinuingSubwordPrefix string     `json:"continuing_subword_prefix"`
	MaxInputCharsPerWord    int        `json:"max_input_chars_per_word"`
	Vocab                   vocabulary `json:"vocab"`
}

// model sets up vocabulary and model; byteLevel says that words are bytes.
func (f *file) model(t *Tokenizer, byteLevel bool) error {
	if f.bpe != nil { // made by training
		return f.buildBPE(t, byteLevel)
	}
	kind, err := f.modelKind()
	if err != nil {
		return err
	}
	if byteLevel && kind != "BPE" {
		return fmt.Errorf("pre_tokenizer: ByteLevel with the model.type %q is not supported, only with BPE", kind)
	}
	switch kind {
	case "BPE":
		f.bpe = new(bpeFile)
		if err := decode(f.Model, "model", f.bpe); err != nil {
			return err
		}
		f.bpe.Type, f.Model = kind, nil
		return f.buildBPE(t, byteLevel)
	case "Unigram":
		return f.unigram(t)
	case "WordPiece":
		return f.wordPiece(t)
	}
	return fmt.Errorf("model.type %q is not supported, only BPE, Unigram and WordPiece", kind)
}

// modelKind returns the type of the model; files written before there were types hold a BPE.
func (f *file) modelKind() (string, error) {
	if null(f.Model) {
		return "", errors.New("model: missing")
	}
	kind, err := kind(f.Model)
	if err != nil {
		return "", fmt.Errorf("model: %w", err)
	}
	if kind == "" {
		var old struct {
			Merges jsontext.Value `json:"merges"`
		}
		if err := json.Unmarshal(f.Model, &old); err != nil {
			return "", fmt.Errorf("model: %w", err)
		}
		if !null(old.Merges) {
			kind = "BPE"
		}
	}
	return kind, nil
}

// nameAll gives the ids of a vocabulary their tokens; more may follow.
func (t *Tokenizer) nameAll(v vocabulary, more int) error {
	t.ids = make(map[string]int32, len(v)+more)
	t.spelled = make([]string, 0, len(v)+more)
	for _, e := range v {
		if err := t.name(e.token, e.id, len(v)+more); err != nil {
			return fmt.Errorf("model.vocab: %w", err)
		}
	}
	return nil
}

func (f *file) buildBPE(t *Tokenizer, byteLevel bool) error {
	if err := t.nameAll(f.bpe.Vocab, len(f.AddedTokens)); err != nil {
		return err
	}
	m, err := f.bpe.model(t.ids, byteLevel)
	if err != nil {
		return err
	}
	if t.words.pattern == uncut && !byteLevel && f.bpe.underlinesBegin(t) {
		t.words.pattern = underlines
	}
	t.model = m
	return nil
}

// absent refuses the parts of a BPE that Parley lacks.
func (f *bpeFile) absent() error {
	for _, part := range []struct {
		name    string
		present bool
	}{
		{"model.dropout", f.Dropout != nil && *f.Dropout != 0},
		{"model.continuing_subword_prefix", f.ContinuingSubwordPrefix != nil && *f.ContinuingSubwordPrefix != ""},
		{"model.end_of_word_suffix", f.EndOfWordSuffix != nil && *f.EndOfWordSuffix != ""},
	} {
		if part.present {
			return fmt.Errorf("%s: not supported", part.name)
		}
	}
	return nil
}

// model makes the model of a vocabulary in which there are no added tokens yet.
func (f *bpeFile) model(ids map[string]int32, byteLevel bool) (*bpe, error) {
	if err := f.absent(); err != nil {
		return nil, err
	}
	m := &bpe{unk: noToken, fuse: f.FuseUnk}
	if f.UnkToken != nil {
		id, ok := ids[*f.UnkToken]
		if !ok {
			return nil, fmt.Errorf("model.unk_token: %q is not in the vocabulary", *f.UnkToken)
		}
		m.unk = id
	}
	if byteLevel {
		for b := range m.bytes {
			m.bytes[b] = idOr(ids, string(byteRunes[b]))
		}
	} else {
		m.chars = newCharTable(ids)
		m.bytes = byteTokens(ids, f.ByteFallback)
	}
	if f.IgnoreMerges {
		m.whole = make(map[string]int32, len(f.Vocab))
		for _, e := range f.Vocab {
			if byteLevel {
				m.whole[unspell(e.token)] = e.id
			} else {
				m.whole[e.token] = e.id
			}
		}
	}
	return m, f.fillMerges(m, ids)
}

func (f *bpeFile) fillMerges(m *bpe, ids map[string]int32) error {
	m.merges = newPairTable(len(f.Merges))
	var whole []byte
	for i, p := range f.Merges {
		left, lok := ids[p.left]
		right, rok := ids[p.right]
		whole = append(append(whole[:0], p.left...), p.right...)
		id, ok := ids[string(whole)]
		if !lok || !rok || !ok {
			return fmt.Errorf("model.merges[%d]: of %q and %q, or what they make together, something is not in the vocabulary", i, p.left, p.right)
		}
		m.merges.add(left, right, int32(i), id)
	}
	return nil
}

// underlinesBegin reports whether no merge puts something else before ▁, so that text
// may be cut there without any difference.
func (f *bpeFile) underlinesBegin(t *Tokenizer) bool {
	if _, ok := t.ids[underline]; !ok || f.IgnoreMerges {
		return false
	}
	for _, p := range f.Merges {
		if underlineInside(p.left + p.right) {
			return false
		}
	}
	return true
}

// underlineInside reports whether a token has ▁ after something else.
func underlineInside(token string) bool {
	for strings.HasPrefix(token, underline) {
		token = token[len(underline):]
	}
	return strings.Contains(token, underline)
}

// idOr returns the id of a token, noToken if there is none.
func idOr(ids map[string]int32, token string) int32 {
	if id, ok := ids[token]; ok {
		return id
	}
	return noToken
}

// byteTokens returns the ids of <0x00> to <0xFF>, noToken for each that is missing or if
// they are not to be used.
func byteTokens(ids map[string]int32, used bool) (bytes [256]int32) {
	for b := range bytes {
		bytes[b] = noToken
		if used {
			bytes[b] = idOr(ids, byteToken(byte(b)))
		}
	}
	return bytes
}

func byteToken(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

// byteOfToken returns the byte that a token such as <0xE2> stands for.
func byteOfToken(token string) (byte, bool) {
	if len(token) != len("<0x00>") || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(token[3:5], 16, 8)
	return byte(b), err == nil
}

// unigram reads a Unigram model.
func (f *file) unigram(t *Tokenizer) error {
	var u unigramFile
	if err := decode(f.Model, "model", &u); err != nil {
		return err
	}
	m := &unigram{unk: noToken, rest: noToken}
	keys := make([]trieKey, len(u.Vocab))
	scores := make([]float64, len(u.Vocab))
	for i, p := range u.Vocab {
		if err := t.name(p.token, int32(i), len(u.Vocab)); err != nil {
			return fmt.Errorf("model.vocab: %w", err)
		}
		keys[i] = trieKey{p.token, int32(i)}
		m.pieces = append(m.pieces, piece{int32(i), p.score})
		scores[i] = p.score
	}
	if u.UnkID != nil {
		if *u.UnkID < 0 || int(*u.UnkID) >= len(u.Vocab) {
			return fmt.Errorf("model.unk_id: %d is not in the vocabulary of %d", *u.UnkID, len(u.Vocab))
		}
		m.unk, m.rest = *u.UnkID, *u.UnkID
	}
	m.ids = make(map[string]int32, len(keys))
	for _, k := range keys {
		m.ids[k.text] = k.value
	}
	m.price = lowestScore(scores)
	m.bytes = byteTokens(m.ids, u.ByteFallback)
	m.trie = newTrie(keys)
	t.model = m
	return nil
}

// wordPiece reads a WordPiece model.
func (f *file) wordPiece(t *Tokenizer) error {
	w := wordPieceFile{ContinuingSubwordPrefix: "##", MaxInputCharsPerWord: 100}
	if err := decode(f.Model, "model", &w); err != nil {
		return err
	}
	if err := t.nameAll(w.Vocab, len(f.AddedTokens)); err != nil {
		return err
	}
	unk, ok := t.ids[w.UnkToken]
	if !ok {
		return fmt.Errorf("model.unk_token: %q is not in the vocabulary", w.UnkToken)
	}
	keys := make([]trieKey, len(w.Vocab))
	for i, e := range w.Vocab {
		keys[i] = trieKey{e.token, e.id}
	}
	m := &wordPiece{unk: unk, longest: w.MaxInputCharsPerWord, trie: newTrie(keys)}
	m.inside = m.trie.walk(trieRoot, w.ContinuingSubwordPrefix)
	t.model = m
	return nil
}
