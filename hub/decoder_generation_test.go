package hub

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parley-lm/parley/model"
)

// withGeneration copies a decoder's directory and replaces its generation_config.json; "" leaves none.
func withGeneration(t testing.TB, text string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := os.CopyFS(dir, os.DirFS(llama)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "generation_config.json")
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if text != "" {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDecodersGenerationIsReadAsTransformersDoes(t *testing.T) {
	id := func(i int32) *int32 { return &i }
	plain := DecoderGeneration{
		Temperature: 1, TopP: 1, TypicalP: 1, NumBeams: 1, LengthPenalty: 1, RepetitionPenalty: 1, BOSID: id(1), EOSIDs: []int32{2},
	}
	for text, change := range map[string]func(g *DecoderGeneration){
		"":                      func(*DecoderGeneration) {},
		"{}":                    func(*DecoderGeneration) {},
		`{"temperature": null}`: func(*DecoderGeneration) {},
		`{"do_sample": true, "temperature": 0.6, "top_p": 0.9}`: func(g *DecoderGeneration) {
			g.DoSample, g.Temperature, g.TopP, g.TopK = true, 0.6, 0.9, 50
		},
		`{"do_sample": true, "top_k": 0, "min_p": 0.1}`: func(g *DecoderGeneration) { g.DoSample, g.MinP = true, 0.1 },
		`{"eos_token_id": [5, 7], "bos_token_id": 3}`:   func(g *DecoderGeneration) { g.EOSIDs, g.BOSID = []int32{5, 7}, id(3) },
		`{"eos_token_id": [96, -1]}`:                    func(g *DecoderGeneration) { g.EOSIDs = nil },
		`{"eos_token_id": 9, "max_new_tokens": 12}`:     func(g *DecoderGeneration) { g.EOSIDs, g.MaxNewTokens = []int32{9}, 12 },
		`{"repetition_penalty": 1.1, "max_length": 40, "bad_words_ids": [[3, 4]], "new_key": {}}`: func(g *DecoderGeneration) {
			g.RepetitionPenalty, g.MaxLength, g.BadWords = 1.1, 40, [][]int32{{3, 4}}
		},
	} {
		want := plain
		change(&want)
		d, err := LoadDecoder(withGeneration(t, text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if !reflect.DeepEqual(d.Generation, want) {
			t.Errorf("%s is read as %+v, want %+v", text, d.Generation, want)
		}
	}
}

func TestDecodersGenerationErrorsNameTheKey(t *testing.T) {
	for text, word := range map[string]string{
		`{"temperature": "hot"}`:  "temperature",
		`{"eos_token_id": [1.5]}`: "eos_token_id",
		`{"bos_token_id": -1}`:    "bos_token_id",
		`{"num_beams": 0}`:        "num_beams",
		`{"max_length": -3}`:      "max_length",
		`{"length_penalty": 1e9}`: "length_penalty",
		`[1]`:                     "object",
	} {
		_, err := LoadDecoder(withGeneration(t, text))
		if err == nil || !strings.Contains(err.Error(), word) || !strings.Contains(err.Error(), "generation_config.json") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestDirectoriesSayWhatTheyHold(t *testing.T) {
	models := filepath.Join("..", "model", "testdata")
	for name, want := range map[string]bool{"llama-train": true, "gpt2-train": true, "marian": false} {
		if got, err := IsDecoder(filepath.Join(models, name)); err != nil || got != want {
			t.Errorf("%s is a decoder: %v, %v", name, got, err)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"model_type": "mamba"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := IsDecoder(dir); err == nil || !strings.Contains(err.Error(), "mamba") || !strings.Contains(err.Error(), "marian, gpt2, llama, mistral, qwen2 or qwen3") {
		t.Errorf("an unknown model_type gives %v", err)
	}
	if _, err := IsDecoder(filepath.Join(dir, "nothing")); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("a missing directory gives %v", err)
	}
}

func FuzzDecoderGeneration(f *testing.F) {
	f.Add([]byte(`{"do_sample": true, "temperature": 0.6, "eos_token_id": [1, 2], "bad_words_ids": [[1], []], "suppress_tokens": null}`))
	f.Add([]byte(`{"num_beams": 1e9, "early_stopping": "never", "bos_token_id": -1, "max_length": 20}`))
	config, err := ReadConfig(filepath.Join(llama, "config.json"))
	if err != nil {
		f.Fatal(err)
	}
	c := model.DecoderConfig{VocabSize: 96}
	f.Fuzz(func(t *testing.T, data []byte) {
		raw, err := ParseConfig("generation_config.json", data)
		if err != nil {
			return
		}
		g, err := parseDecoderGeneration(config, raw, c)
		if err != nil {
			return
		}
		for _, id := range g.EOSIDs {
			if id < 0 || int(id) >= c.VocabSize {
				t.Errorf("token %d ends a text in a vocabulary of %d", id, c.VocabSize)
			}
		}
		if g.BOSID != nil && (*g.BOSID < 0 || int(*g.BOSID) >= c.VocabSize) || g.NumBeams < 1 || g.MaxNewTokens < 0 {
			t.Errorf("%s is read as %+v", data, g)
		}
	})
}
