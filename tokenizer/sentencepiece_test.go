package tokenizer

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// TestCutsAsSentencePieceDoes compares with the ids that SentencePiece gives.
func TestCutsAsSentencePieceDoes(t *testing.T) {
	for _, name := range []string{"bpe.model", "unigram.model"} {
		t.Run(name, func(t *testing.T) {
			compareWithSentencePiece(t, local(t, name), local(t, name+".cases.json"))
		})
	}
	for _, c := range []struct{ model, cases string }{
		{"tokenizers/llama2-style/tokenizer.model", "tokenizers/llama2-style/cases.json"},
		{"tokenizers/unigram-spm/spiece.model", "tokenizers/unigram-spm/cases.json"},
		{"models/llama-256/tokenizer.model", "gguf/llama-256.tokenizer_cases.json"},
	} {
		t.Run(c.model, func(t *testing.T) {
			compareWithSentencePiece(t, shared(t, "fixtures/"+c.model), shared(t, "fixtures/"+c.cases))
		})
	}
}

// sentencePieceCase has either ids and decoded, made by SentencePiece alone, or, among
// others, sentencepiece_ids.
type sentencePieceCase struct {
	Text    string   `json:"text"`
	IDs     []int32  `json:"ids"`
	Among   *[]int32 `json:"sentencepiece_ids"`
	Decoded string   `json:"decoded"`
}

func compareWithSentencePiece(t *testing.T, model, data []byte) {
	t.Helper()
	tok, err := ParseSentencePiece(model)
	if err != nil {
		t.Fatal(err)
	}
	var cases []sentencePieceCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	alone := !slices.ContainsFunc(cases, func(c sentencePieceCase) bool { return c.Among != nil })
	for _, c := range cases {
		switch {
		case c.Among != nil:
			c.IDs = *c.Among
		case !alone:
			continue
		default:
			if got := tok.Decode(c.IDs, true); got != c.Decoded {
				t.Errorf("decoded %.80q, want %.80q", got, c.Decoded)
			}
			if got := streamed(t, tok, c.IDs, true); got != c.Decoded {
				t.Errorf("one by one decoded %.80q, want %.80q", got, c.Decoded)
			}
		}
		if got := tok.Append(nil, c.Text); !slices.Equal(got, c.IDs) {
			t.Errorf("%.80q: ids %v, want %v", c.Text, got, c.IDs)
		}
	}
}

// TestRememberedWordsAreCutAsInTheWholeText compares the search of word by word with
// that of the whole text, in a model whose scores make many ways nearly equal.
func TestRememberedWordsAreCutAsInTheWholeText(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var model []byte
	model = appendPiece(model, "<unk>", 0, unknownPieceKind)
	model = appendPiece(model, underline, -3, normalPiece)
	letters := []string{"a", "b", "c"}
	for _, x := range letters {
		model = appendPiece(model, x, -3-float32(r.IntN(3)), normalPiece)
		model = appendPiece(model, underline+x, -4-r.Float32()/1000, normalPiece)
		for _, y := range letters {
			model = appendPiece(model, x+y, -7-float32(r.IntN(4))/1000, normalPiece)
			model = appendPiece(model, x+y+letters[r.IntN(3)], -10-float32(r.IntN(4))/10, normalPiece)
		}
	}
	tok, err := ParseSentencePiece(model)
	if err != nil {
		t.Fatal(err)
	}
	m := tok.model.(*singleUnigram)
	if !m.words {
		t.Fatal("the model does not cut words by themselves")
	}
	sums := func(e *encoder) float64 { return e.arcs[len(e.arcs)-1].sum }
	for _, ids := range []map[string]int32{nil, {"?": 3, "!?": 4}} { // with an unknown sign in the vocabulary or without
		m.ids = ids
		e := tok.acquire()
		for range 300 {
			var b strings.Builder
			for range 1 + r.IntN(2000) {
				b.WriteString([]string{"a", "b", "c", underline, underline, "?", "!", "ab"}[r.IntN(8)])
			}
			text := b.String() + underline + "?!" // not remembered, so that the sum is seen
			got := m.append(e, nil, text)
			sum := sums(e)
			if want := m.unigram.append(e, nil, text); !slices.Equal(got, want) {
				t.Fatalf("%.200q: %v, want %v", text, got, want)
			}
			if len(text) < keptSymbols && sum != sums(e) {
				t.Fatalf("%.200q: the sum is %v, want %v", text, sum, sums(e))
			}
		}
	}
}

// appendPiece appends a piece to a model.
func appendPiece(model []byte, text string, score float32, kind pieceKind) []byte {
	var p []byte
	p = protowire.AppendTag(p, 1, protowire.BytesType)
	p = protowire.AppendString(p, text)
	p = protowire.AppendTag(p, 2, protowire.Fixed32Type)
	p = protowire.AppendFixed32(p, math.Float32bits(score))
	p = protowire.AppendTag(p, 3, protowire.VarintType)
	p = protowire.AppendVarint(p, uint64(kind))
	model = protowire.AppendTag(model, 1, protowire.BytesType)
	return protowire.AppendBytes(model, p)
}

// appendSpec appends TrainerSpec (2) or NormalizerSpec (3) with one number.
func appendSpec(model []byte, spec, number protowire.Number, value uint64) []byte {
	s := protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), value)
	return protowire.AppendBytes(protowire.AppendTag(model, spec, protowire.BytesType), s)
}

func TestRefusesSentencePieceModelsThatAreNone(t *testing.T) {
	piece := slices.Clip(appendPiece(nil, "a", -1, normalPiece))
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":           {nil, "no piece"},
		"text":              {[]byte("not a model"), "not a readable SentencePiece model"},
		"cut off":           {piece[:len(piece)-1], "not a readable SentencePiece model"},
		"empty piece":       {appendPiece(piece, "", 0, normalPiece), "piece 1 is empty"},
		"twice":             {slices.Concat(piece, piece), `"a" has the ids 0 and 1`},
		"a word model":      {appendSpec(piece, 2, 3, 3), "model type 3"},
		"unused in BPE":     {appendSpec(appendPiece(piece, "b", 0, unusedPiece), 2, 3, 2), "unused"},
		"a character map":   {protowire.AppendBytes(protowire.AppendTag(piece, 3, protowire.BytesType), []byte("\x12\x02ab")), "character map"},
		"a map of no tries": {protowire.AppendBytes(protowire.AppendTag(piece, 3, protowire.BytesType), []byte("\x12\x05\xff\xff\x00\x00a")), "character map"},
	} {
		if _, err := ParseSentencePiece(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %s", name, err, c.want)
		}
	}
}

func TestASentencePieceTokenizerHasNoTokenizerJSON(t *testing.T) {
	tok, err := ParseSentencePiece(local(t, "bpe.model"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tok.JSON(); err == nil || !strings.Contains(err.Error(), "SentencePiece") {
		t.Errorf("JSON: %v", err)
	}
	if _, err := tok.Config(Roles{EOS: "</s>"}, 0); err == nil || !strings.Contains(err.Error(), "SentencePiece") {
		t.Errorf("Config: %v", err)
	}
}

func FuzzParseSentencePiece(f *testing.F) {
	for _, name := range []string{"bpe.model", "unigram.model", "opus/source.spm"} {
		f.Add(local(f, name), "The baker\u00a0 isn't ﬁne.\n")
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		tok, err := ParseSentencePiece(data)
		if err != nil {
			return
		}
		ids := tok.Encode(text)
		tok.Tokens(text)
		tok.Decode(ids, false)
		streamed(t, tok, ids, false)
	})
}

// TestAllSpaceBeforeATextIsLeftOut compares with SentencePiece 0.2.3, for models that remove superfluous space from what they read.
func TestAllSpaceBeforeATextIsLeftOut(t *testing.T) {
	tok, err := ParseSentencePiece(local(t, "unigram.model"))
	if err != nil {
		t.Fatal(err)
	}
	space, _ := tok.ID("▁")
	word, ok := tok.ID("▁the")
	if !ok {
		t.Fatal("the model lacks ▁the")
	}
	for want, ids := range map[string][]int32{"the": {space, space, word}, "the  the": {space, word, space, word}} {
		if got := tok.Decode(ids, true); got != want {
			t.Errorf("%v: %q, want %q", ids, got, want)
		}
		if got := streamed(t, tok, ids, true); got != want {
			t.Errorf("%v: %q one by one, want %q", ids, got, want)
		}
	}
}
