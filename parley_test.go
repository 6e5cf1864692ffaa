package parley_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// untrained writes a small model directory with random weights: enough for everything but sense.
func untrained(t testing.TB) string {
	t.Helper()
	lines := []string{"the old cat sleeps", "a red house", "le vieux chat dort", "une maison rouge"}
	tok, err := tokenizer.Train(func(yield func(string) bool) {
		for _, l := range lines {
			if !yield(l) {
				return
			}
		}
	}, tokenizer.TrainOptions{
		VocabSize: 300, Pattern: tokenizer.Spaces, InitialAlphabet: true,
		SpecialTokens: []string{"</s>", "<unk>"}, LastTokens: []string{"<pad>"}, Suffix: []string{"</s>"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := model.DefaultEncDecConfig()
	c.VocabSize, c.DModel, c.EncoderLayers, c.DecoderLayers = tok.Size(), 16, 1, 1
	c.EncoderHeads, c.DecoderHeads, c.EncoderFFN, c.DecoderFFN, c.MaxPositions = 2, 2, 32, 32, 24
	c.PadID, c.DecoderStartID = int32(tok.Size()-1), int32(tok.Size()-1)
	m, err := model.NewEncDec(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Initialize(3)
	dir := t.TempDir() + "/model"
	if err := hub.SaveEncDec(dir, &hub.EncDec{Model: m, Tokenizer: tok, Generation: hub.DefaultGeneration(m.Config)}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAnOpusModelTranslates(t *testing.T) {
	c := model.DefaultEncDecConfig()
	c.VocabSize, c.DModel, c.EncoderLayers, c.DecoderLayers = 200, 16, 1, 1
	c.EncoderHeads, c.DecoderHeads, c.EncoderFFN, c.DecoderFFN, c.MaxPositions = 2, 2, 32, 32, 24
	c.PadID, c.DecoderStartID = 199, 199
	m, err := model.NewEncDec(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Initialize(3)
	dir := t.TempDir() + "/opus-mt"
	if err := hub.SaveEncDec(dir, &hub.EncDec{Model: m, Generation: hub.DefaultGeneration(m.Config)}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"source.spm", "target.spm", "vocab.json"} {
		data, err := os.ReadFile("tokenizer/testdata/opus/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/"+name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := parley.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if _, err := opened.Translate(t.Context(), "le boulanger ouvre la porte"); err != nil {
		t.Error(err)
	}
}

func TestManyGoroutinesGetWhatOneGetsAlone(t *testing.T) {
	m, err := parley.Open(untrained(t), parley.Threads(2))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	var sentences, alone []string
	for i := range 40 {
		s := strings.Repeat("the old cat ", i%4) + fmt.Sprint("house ", i)
		text, err := m.Translate(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		sentences, alone = append(sentences, s), append(alone, text[0])
	}
	var group sync.WaitGroup
	for i, s := range sentences {
		group.Go(func() {
			if text, err := m.Translate(ctx, s); err != nil || text[0] != alone[i] {
				t.Errorf("%q gives %q, %v in company and %q alone", s, text, err, alone[i])
			}
		})
	}
	group.Wait()
	together, err := m.Translate(ctx, sentences...)
	if err != nil || strings.Join(together, "\n") != strings.Join(alone, "\n") {
		t.Errorf("translated together (%v): %q, alone %q", err, together, alone)
	}
}

func TestABadSentenceConcernsItselfAlone(t *testing.T) {
	m, err := parley.Open(untrained(t))
	if err != nil {
		t.Fatal(err)
	}
	texts, err := m.Translate(context.Background(), "a red house", strings.Repeat("cat ", 500), "", "the cat")
	var bad *parley.SentenceError
	if !errors.As(err, &bad) || bad.Index != 1 || !strings.Contains(err.Error(), "24") {
		t.Errorf("a sentence too long gives the error %v", err)
	}
	if texts[0] == "" || texts[1] != "" || texts[2] != "" || texts[3] == "" {
		t.Errorf("translations are %q", texts)
	}
}

func TestNBestIsSortedAndScored(t *testing.T) {
	m, err := parley.Open(untrained(t))
	if err != nil {
		t.Fatal(err)
	}
	found, err := m.TranslateWith(context.Background(), parley.TranslateOptions{Beams: 4, NBest: 3}, "a red house")
	if err != nil || len(found[0]) != 3 {
		t.Fatalf("%d translations, %v", len(found[0]), err)
	}
	for i, f := range found[0] {
		if f.LogProb >= 0 || i > 0 && f.Score > found[0][i-1].Score {
			t.Errorf("translations %+v", found[0])
		}
	}
	if _, err := m.TranslateWith(context.Background(), parley.TranslateOptions{Beams: 2, NBest: 3}, "a"); err == nil {
		t.Error("more translations than beams are promised")
	}
}

func TestACancelledCallReturnsAndHarmsNobody(t *testing.T) {
	m, err := parley.Open(untrained(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Translate(ctx, "the cat"); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call returns %v", err)
	}
	if texts, err := m.Translate(context.Background(), "the cat"); err != nil || texts[0] == "" {
		t.Errorf("the next call gives %q, %v", texts, err)
	}
}

func TestOpenErrorsNameTheFile(t *testing.T) {
	if _, err := parley.Open(t.TempDir() + "/nothing"); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("a missing directory gives %v", err)
	}
	dir := untrained(t)
	if err := os.WriteFile(dir+"/config.json", []byte(`{"model_type": "marian", "d_model": "wide"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := parley.Open(dir); err == nil || !strings.Contains(err.Error(), "config.json") || !strings.Contains(err.Error(), "d_model") {
		t.Errorf("a wrong config.json gives %v", err)
	}
}
