package tokenizer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ParseGGML makes a tokenizer of what a GGUF file holds. It cuts text as llama.cpp does, but that an added token is found
// where it is first, not the longest of all first.
func ParseGGML(g *GGML) (*Tokenizer, error) {
	f := &file{Version: "1.0", bpe: &bpeFile{Type: "BPE"}}
	if len(g.Tokens) == 0 {
		return nil, fmt.Errorf("tokenizer.ggml.tokens: there are none")
	}
	if g.Types != nil && len(g.Types) != len(g.Tokens) {
		return nil, fmt.Errorf("tokenizer.ggml.token_type: %d types of %d tokens", len(g.Types), len(g.Tokens))
	}
	for i, token := range g.Tokens {
		id, kind := int32(i), g.kind(i)
		if kind != ggmlControl && kind != ggmlUnused && token != "" {
			f.bpe.Vocab = append(f.bpe.Vocab, vocabEntry{token, id})
		}
		if kind == ggmlControl || kind == ggmlUnknown || kind == ggmlUser {
			f.AddedTokens = append(f.AddedTokens, addedFile{ID: id, Content: token, Special: kind != ggmlUser})
		}
	}
	build := g.parseByteLevel
	switch g.Model {
	case "gpt2":
	case "llama":
		build = g.parseCharacters
	default:
		return nil, fmt.Errorf("tokenizer.ggml.model is %q; supported: gpt2, llama", g.Model)
	}
	if err := g.parseFrame(f); err != nil {
		return nil, err
	}
	return build(f)
}

func (g *GGML) kind(id int) int32 {
	if g.Types == nil {
		return ggmlNormal
	}
	return g.Types[id]
}

// parseCharacters makes a BPE of characters whose merges are ranked by scores.
func (g *GGML) parseCharacters(f *file) (*Tokenizer, error) {
	if len(g.Scores) != len(g.Tokens) {
		return nil, fmt.Errorf("tokenizer.ggml.scores: %d scores of %d tokens", len(g.Scores), len(g.Tokens))
	}
	f.bpe.FuseUnk, f.bpe.ByteFallback = true, true
	f.Normalizer, f.Decoder = spacesAsSentencePiece(g.SpacePrefix)
	if g.Unknown != nil {
		if *g.Unknown < 0 || int(*g.Unknown) >= len(g.Tokens) {
			return nil, fmt.Errorf("tokenizer.ggml.unknown_token_id: %d is not in the vocabulary of %d", *g.Unknown, len(g.Tokens))
		}
		if k := g.kind(int(*g.Unknown)); k != ggmlControl && k != ggmlUnused {
			f.bpe.UnkToken = &g.Tokens[*g.Unknown]
		}
	}
	pieces := &sentencePieceModel{byteFallback: true, escapeSpaces: true}
	ids := make([]int32, len(g.Tokens))
	kinds := map[int32]pieceKind{ggmlNormal: normalPiece, ggmlUser: userPiece, ggmlByte: bytePiece}
	for i, token := range g.Tokens {
		if len(token) > longestRanked { // the work grows with its square
			return nil, fmt.Errorf("tokenizer.ggml.tokens: %d has %d bytes; the longest that is supported has %d", i, len(token), longestRanked)
		}
		ids[i] = int32(i)
		kind, ok := kinds[g.kind(i)]
		if !ok {
			kind = controlPiece
		}
		pieces.pieces = append(pieces.pieces, scoredSentencePiece{token, g.Scores[i], kind})
	}
	f.bpe.Merges = pieces.rankedMerges()
	t, err := f.tokenizer()
	if err != nil {
		return nil, err
	}
	unk := t.model.(*bpe).unk
	t.model, err = pieces.bpe(ids, unk) // where two tokens have one score, the left one is made first
	return t, err
}

// rankedMerges lists the pairs of pieces that make a third, that with the highest score first.
func (m *sentencePieceModel) rankedMerges() mergeList {
	known := map[string]bool{}
	var ranked []int
	for i, p := range m.pieces {
		if p.kind == normalPiece || p.kind == userPiece {
			known[p.text] = true
			ranked = append(ranked, i)
		}
	}
	slices.SortStableFunc(ranked, func(a, b int) int { return cmp.Compare(m.pieces[b].score, m.pieces[a].score) })
	var merges mergeList
	for _, i := range ranked {
		text := m.pieces[i].text
		for at, width := 0, 0; at < len(text); at += width {
			_, width = utf8.DecodeRuneInString(text[at:])
			if left, right := text[:at], text[at:]; at > 0 && known[left] && known[right] {
				merges = append(merges, mergePair{left, right})
			}
		}
	}
	return merges
}

// parseByteLevel makes a BPE of bytes.
func (g *GGML) parseByteLevel(f *file) (*Tokenizer, error) {
	pre, err := preByName(g.Pre)
	if err != nil {
		return nil, err
	}
	f.PreTokenizer, f.bpe.IgnoreMerges = pre.json(), pre.ignoreMerges
	f.Decoder = byteLevelDecoder
	for i, m := range g.Merges {
		cut := strings.IndexByte(m[min(1, len(m)):], ' ') + 1
		if cut == 0 {
			return nil, fmt.Errorf("tokenizer.ggml.merges: %.40q, number %d, is not two tokens with a space between", m, i)
		}
		f.bpe.Merges = append(f.bpe.Merges, mergePair{m[:cut], m[cut+1:]})
	}
	return f.tokenizer()
}
