package tokenizer

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
)

// MarianOptions names the special tokens of a Marian vocabulary, as its
// tokenizer_config.json does; an empty name is that of published opus-mt models.
type MarianOptions struct{ EOS, Unknown, Pad string }

// LoadMarian reads one side, source or target, of a Marian model's tokenizer: the
// SentencePiece model of that side, and the vocab.json that both share; see
// [ParseMarian].
func LoadMarian(modelPath, vocabPath string, o MarianOptions) (*Tokenizer, error) {
	model, err := os.ReadFile(modelPath)
	if err != nil {
		return nil, fmt.Errorf("reading the tokenizer: %w", err)
	}
	vocab, err := os.ReadFile(vocabPath)
	if err != nil {
		return nil, fmt.Errorf("reading the tokenizer: %w", err)
	}
	t, err := ParseMarian(model, vocab, o)
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", modelPath, vocabPath, err)
	}
	return t, nil
}

// ParseMarian makes a tokenizer of the contents of a SentencePiece model, which cuts
// text into pieces, and of vocab.json, which gives the pieces their ids. Encode
// recognises the special tokens in text, and Append, too, the >>codes<< by which a model
// of several target languages is told which one to use. The suffix is EOS.
func ParseMarian(model, vocab []byte, o MarianOptions) (*Tokenizer, error) {
	m, err := readSentencePieceModel(model)
	if err != nil {
		return nil, err
	}
	var v vocabulary
	if err := json.Unmarshal(vocab, &v); err != nil {
		return nil, fmt.Errorf("vocab.json: not a readable object of tokens and ids: %w", err)
	}
	t := &Tokenizer{special: map[int32]bool{}, valid: true, words: newSplitter(uncut)}
	if err := t.nameAll(v, 0); err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	unk, added, err := t.marianTokens(o)
	if err != nil {
		return nil, err
	}
	ids := make([]int32, len(m.pieces))
	for i, p := range m.pieces {
		if ids[i] = idOr(t.ids, p.text); ids[i] == noToken {
			ids[i] = unk
		}
	}
	if err := m.segment(t, ids, unk); err != nil {
		return nil, err
	}
	if u, ok := t.model.(*singleUnigram); ok {
		u.ids = t.ids
	}
	t.passes = append([]pass{{added: newMatcher(added)}}, t.passes...)
	m.decode(t)
	t.decoder.trim = true
	return t, nil
}

// marianTokens finds the tokens that are looked for in text, and among them the unknown
// one.
func (t *Tokenizer) marianTokens(o MarianOptions) (unk int32, added []addedToken, err error) {
	names := []string{o.EOS, o.Unknown, o.Pad}
	var ids [3]int32
	for i, usual := range []string{"</s>", "<unk>", "<pad>"} {
		if names[i] == "" {
			names[i] = usual
		}
		id, ok := t.ids[names[i]]
		if !ok {
			return 0, nil, errors.New("vocab.json: there is no token " + names[i])
		}
		ids[i] = id
		t.special[id] = true
		added = append(added, addedToken{id: id, content: names[i], special: true})
	}
	for token, id := range t.ids {
		if strings.HasPrefix(token, ">>") && strings.HasSuffix(token, "<<") {
			added = append(added, addedToken{id: id, content: token})
		}
	}
	t.suffix = ids[:1]
	return ids[1], added, nil
}
