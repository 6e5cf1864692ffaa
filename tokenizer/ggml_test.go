package tokenizer

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// plain reads a tokenizer of testdata, without the flags of added tokens that llama.cpp lacks, changed by change.
func plain(t *testing.T, name string, change func(f map[string]any)) *Tokenizer {
	t.Helper()
	var f map[string]any
	if err := json.Unmarshal(local(t, name), &f); err != nil {
		t.Fatal(err)
	}
	for _, a := range f["added_tokens"].([]any) {
		for _, flag := range []string{"lstrip", "rstrip", "single_word", "normalized"} {
			a.(map[string]any)[flag] = false
		}
	}
	if change != nil {
		change(f)
	}
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestGGMLCutsTextAsTheTokenizerDoes(t *testing.T) {
	for name, pre := range map[string]string{"gpt2": "gpt-2", "llama3": "llama-bpe", "qwen": "qwen2", "llama2": "default"} {
		tok := plain(t, name+".json", nil)
		g, err := tok.GGML(tok.Size() + 3)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if g.Pre != pre || len(g.Tokens) != tok.Size()+3 || len(g.Types) != len(g.Tokens) {
			t.Errorf("%s: pre %q, %d tokens, %d types", name, g.Pre, len(g.Tokens), len(g.Types))
		}
		back, err := ParseGGML(g)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range readCases(t, local(t, name+".cases.json")) {
			text := c.Text
			if name == "qwen" { // llama.cpp does not compose
				text = norm.NFC.String(text)
			}
			if got, want := back.EncodeSpecial(text), tok.EncodeSpecial(text); !slices.Equal(got, want) {
				t.Errorf("%s: %.80q: ids %v, want %v", name, text, got, want)
			}
			if got, want := back.Append(nil, text), tok.Append(nil, text); !slices.Equal(got, want) {
				t.Errorf("%s: %.80q as plain text: ids %v, want %v", name, text, got, want)
			}
			if ids := back.Encode(text); back.Decode(ids, false) != tok.Decode(ids, false) {
				t.Errorf("%s: %.80q is decoded as %q", name, text, back.Decode(ids, false))
			}
		}
	}
}

// TestGGMLScoresOrderPiecesAsSentencePieceDoes compares the scores that merges become with those that they were made of.
func TestGGMLScoresOrderPiecesAsSentencePieceDoes(t *testing.T) {
	tok, err := Parse(shared(t, "fixtures/models/stories260K/tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := readSentencePieceModel(shared(t, "fixtures/models/stories260K/tokenizer.model"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := tok.GGML(tok.Size())
	if err != nil {
		t.Fatal(err)
	}
	var order []int
	for i, p := range m.pieces {
		if p.kind == normalPiece {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(m.pieces[b].score - m.pieces[a].score) })
	for i := 1; i < len(order); i++ {
		if a, b := order[i-1], order[i]; m.pieces[a].score > m.pieces[b].score && g.Scores[a] <= g.Scores[b] {
			t.Fatalf("%q has %g and %q %g", g.Tokens[a], g.Scores[a], g.Tokens[b], g.Scores[b])
		}
	}
}

func TestWhatLlamaCppLacksIsAnErrorThatNamesThePart(t *testing.T) {
	of := func(f map[string]any, path ...string) map[string]any {
		for _, p := range path {
			f = f[p].(map[string]any)
		}
		return f
	}
	for name, c := range map[string]struct {
		file   string
		change func(f map[string]any)
		want   string
	}{
		"pattern":       {"spaces.json", nil, "pre_tokenizer"},
		"normalizers":   {"regex.json", nil, "normalizer: Sequence"},
		"unigram":       {"unigram.json", nil, "model"},
		"normalizer":    {"gpt2.json", func(f map[string]any) { f["normalizer"] = map[string]any{"type": "Lowercase"} }, "normalizer: Lowercase"},
		"prefix space":  {"gpt2.json", func(f map[string]any) { of(f, "pre_tokenizer")["add_prefix_space"] = true }, "add_prefix_space"},
		"byte fallback": {"llama2.json", func(f map[string]any) { of(f, "model")["byte_fallback"] = false }, "byte_fallback"},
		"strip": {"llama2.json", func(f map[string]any) {
			f["added_tokens"].([]any)[1].(map[string]any)["rstrip"] = true
		}, "added_tokens[1]"},
		"missing merge": {"llama2.json", func(f map[string]any) {
			m := of(f, "model")
			m["merges"] = m["merges"].([]any)[1:]
		}, "model.merges"},
		"scattered merges": {"llama2.json", func(f map[string]any) {
			m := of(f, "model")
			for i, all := 0, m["merges"].([]any); ; i++ { // the first two that make the same token
				if joined(all[i]) == joined(all[i+1]) {
					m["merges"] = append(slices.Delete(slices.Clone(all), i, i+1), all[i])
					return
				}
			}
		}, "model.merges"},
	} {
		tok := plain(t, c.file, c.change)
		if _, err := tok.GGML(tok.Size()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, and does not name %s", name, err, c.want)
		}
	}
	tok := plain(t, "gpt2.json", nil)
	if _, err := tok.GGML(tok.Size() - 1); err == nil {
		t.Error("a model may have fewer rows than there are tokens")
	}
}

// joined is what a merge makes.
func joined(merge any) string {
	if pair, ok := merge.([]any); ok {
		return pair[0].(string) + pair[1].(string)
	}
	return strings.Replace(merge.(string), " ", "", 1)
}

func TestParseGGMLNamesWhatIsWrong(t *testing.T) {
	for want, change := range map[string]func(g *GGML){
		"tokenizer.ggml.model":        func(g *GGML) { g.Model = "t5" },
		"tokenizer.ggml.pre":          func(g *GGML) { g.Pre = "unheard-of" },
		"tokenizer.ggml.token_type":   func(g *GGML) { g.Types = g.Types[1:] },
		"tokenizer.ggml.merges":       func(g *GGML) { g.Merges[3] = "joined" },
		"model.merges[2]":             func(g *GGML) { g.Merges[2] = "not there" },
		"tokenizer.ggml.bos_token_id": func(g *GGML) { g.AddBOS, g.BOS = true, nil },
		"tokenizer.ggml.eos_token_id": func(g *GGML) { g.AddEOS, g.EOS = true, new(int32(-1)) },
		"tokenizer.ggml.scores":       func(g *GGML) { g.Model = "llama" },
		"tokenizer.ggml.tokens":       func(g *GGML) { g.Tokens = nil },
	} {
		tok := plain(t, "gpt2.json", nil)
		g, err := tok.GGML(tok.Size())
		if err != nil {
			t.Fatal(err)
		}
		change(g)
		if _, err := ParseGGML(g); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, and does not name %s", err, want)
		}
	}
}
