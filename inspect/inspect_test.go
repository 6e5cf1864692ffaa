package inspect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/inspect"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// untrained is a small model with random weights: 2 encoder layers, 1 decoder layer, 2 heads, 24 positions.
func untrained(t testing.TB) *hub.EncDec {
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
	c.VocabSize, c.DModel, c.EncoderLayers, c.DecoderLayers = tok.Size(), 16, 2, 1
	c.EncoderHeads, c.DecoderHeads, c.EncoderFFN, c.DecoderFFN, c.MaxPositions = 2, 2, 32, 32, 24
	c.PadID, c.DecoderStartID = int32(tok.Size()-1), int32(tok.Size()-1)
	m, err := model.NewEncDec(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Initialize(3)
	return &hub.EncDec{Model: m, Tokenizer: tok, Generation: hub.DefaultGeneration(c)}
}

func look(t testing.TB, e *hub.EncDec, text string, o inspect.Options) *inspect.Report {
	t.Helper()
	r, err := inspect.Sentence(context.Background(), e, nil, text, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryRowOfAttentionIsADistribution(t *testing.T) {
	r := look(t, untrained(t), " the old cat ", inspect.Options{Target: "le vieux chat dort", Top: 3})
	if len(r.Attention) != 2*2+2+2 {
		t.Fatalf("%d heads", len(r.Attention))
	}
	sizes := map[inspect.Kind][2]int{
		inspect.Encoder: {len(r.Source), len(r.Source)},
		inspect.Decoder: {len(r.Inputs), len(r.Inputs)},
		inspect.Cross:   {len(r.Inputs), len(r.Source)},
	}
	for _, h := range r.Attention {
		size := sizes[h.Kind]
		if len(h.Weights) != size[0] {
			t.Fatalf("%s attention has %d rows, want %d", h.Kind, len(h.Weights), size[0])
		}
		for i, row := range h.Weights {
			sum := 0.0
			for j, w := range row {
				if sum += float64(w); w < 0 || h.Kind == inspect.Decoder && j > i && w != 0 {
					t.Errorf("%s layer %d head %d: row %d gives key %d the weight %g", h.Kind, h.Layer, h.Head, i, j, w)
				}
			}
			if len(row) != size[1] || math.Abs(sum-1) > 1e-5 {
				t.Errorf("%s layer %d head %d: row %d has %d keys and sums to %g", h.Kind, h.Layer, h.Head, i, len(row), sum)
			}
		}
		if h.Looks.At == "" || !(h.Looks.Share > 0 && h.Looks.Share <= 1.00001) {
			t.Errorf("%s layer %d head %d looks at %+v", h.Kind, h.Layer, h.Head, h.Looks)
		}
	}
	for _, k := range []struct {
		kind        inspect.Kind
		layer, head int
		want        int
	}{{inspect.Encoder, 0, 0, 4}, {inspect.Encoder, 2, 0, 2}, {inspect.Encoder, 0, 1, 2}, {inspect.Cross, 1, 2, 1}, {inspect.Cross, 2, 0, 0}} {
		if got := r.Select(k.kind, k.layer, k.head); len(got) != k.want {
			t.Errorf("%d heads of %+v", len(got), k)
		}
	}
}

func TestProbabilitiesAreThoseOfTheSoftmax(t *testing.T) {
	e := untrained(t)
	vocabulary := e.Model.Config.VocabSize
	r := look(t, e, "a red house", inspect.Options{Target: "une maison rouge", Top: vocabulary})
	logProb := 0.0
	for i, s := range r.Steps {
		sum := 0.0
		for j, c := range s.Top {
			sum += c.Prob
			if j > 0 && c.Prob > s.Top[j-1].Prob {
				t.Errorf("step %d: candidate %d is likelier than the one before it", i, j)
			}
		}
		if math.Abs(sum-1) > 1e-9 || len(s.Top) != vocabulary {
			t.Errorf("step %d: %d candidates with probability %g", i, len(s.Top), sum)
		}
		if c := s.Top[s.Rank-1]; c.ID != s.ID || c.Prob != s.Prob || s.ID != r.Target[i].ID {
			t.Errorf("step %d: %+v has rank %d, which is %+v", i, r.Target[i], s.Rank, c)
		}
		logProb += math.Log(s.Prob)
	}
	if !r.Forced || math.Abs(logProb-r.LogProb) > 1e-9 {
		t.Errorf("log-probability %g, want %g", r.LogProb, logProb)
	}
}

func TestTheModelsOwnGreedyTranslationTakesTheLikeliestTokens(t *testing.T) {
	e := untrained(t)
	r := look(t, e, "the old cat sleeps", inspect.Options{Beams: 1, Top: 1})
	if r.Forced || len(r.Target) < 2 || len(r.Steps) != len(r.Target) || r.Inputs[0].ID != e.Model.Config.DecoderStartID {
		t.Fatalf("%+v", r)
	}
	for i, s := range r.Steps[:len(r.Steps)-1] { // the end may be forced at the limit
		if s.Rank != 1 {
			t.Errorf("step %d: greedy search chose the token of rank %d", i, s.Rank)
		}
	}
}

func TestNeighboursAreTheNearestByCosine(t *testing.T) {
	e := untrained(t)
	// Make two tokens alike and a third their opposite.
	cat, _ := e.Tokenizer.ID("the")
	red, _ := e.Tokenizer.ID("une")
	house, _ := e.Tokenizer.ID("b")
	for i, x := range e.Model.EmbeddingOf(cat, true) {
		e.Model.EmbeddingOf(red, true)[i] = 2*x + 0.001
		e.Model.EmbeddingOf(house, true)[i] = -x
	}
	vocabulary := e.Model.Config.VocabSize
	r := look(t, e, "the cat", inspect.Options{Neighbours: vocabulary, Top: 1, Target: "une"})
	near := r.Source[0].Neighbours
	if r.Source[0].ID != cat || near[0].ID != red || near[0].Cosine < 0.99 || near[len(near)-1].ID != house || near[len(near)-1].Cosine > -0.99 {
		t.Errorf("the neighbours of %+v begin with %+v and end with %+v", r.Source[0].Token, near[0], near[len(near)-1])
	}
	if len(near) != vocabulary-2 { // without itself and the padding token, whose embedding is zero
		t.Errorf("%d neighbours in a vocabulary of %d", len(near), vocabulary)
	}
}

func TestJSONHoldsTheWholeReport(t *testing.T) {
	r := look(t, untrained(t), "the old cat", inspect.Options{Neighbours: 2, Top: 2})
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back inspect.Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*r, back); diff != "" {
		t.Error(diff)
	}
}

func TestThePageNeedsNothingFromOutside(t *testing.T) {
	r := look(t, untrained(t), `<script>"cat"</script>`, inspect.Options{Neighbours: 2, Top: 2, Target: "chat"})
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, outside := range []string{"http:", "https:", "//cdn", "src=", "href=", "url(", "@import", "fetch("} {
		if strings.Contains(page, outside) {
			t.Errorf("the page contains %s", outside)
		}
	}
	if strings.Contains(page, "<script>\"cat") || strings.Count(page, "<script>") != 1 || strings.Count(page, "</script>") != 1 {
		t.Error("the sentence is not escaped")
	}
	if !strings.Contains(page, `"log_prob":`) || !strings.Contains(page, `"kind":"cross"`) {
		t.Error("the page lacks the report")
	}
}

func TestThePictureFitsItsWidth(t *testing.T) {
	r := look(t, untrained(t), "the old 猫 \x1b[2J sleeps", inspect.Options{Neighbours: 3, Top: 4, Target: "le vieux chat"})
	for _, v := range []inspect.View{{Width: 100}, {Width: 40}, {Layer: 1, Width: 60}, {Head: 2, Width: 200}, {Layer: 2, Head: 1, Width: 80}} {
		var b bytes.Buffer
		if err := r.WriteText(&b, v); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if strings.ContainsRune(text, '\x1b') {
			t.Errorf("%+v: the sentence reaches the terminal unchecked", v)
		}
		_, drawn, _ := strings.Cut(text, "\nAttention") // tables above hold what does not fit back; titles are prose
		for _, line := range strings.Split(drawn, "\n") {
			if n := len([]rune(line)); n > v.Width && strings.ContainsAny(line, "·░▒▓█") {
				t.Errorf("%+v: a line of %d columns: %s", v, n, line)
			}
		}
		for _, want := range []string{"▁old", "</s>", "Source: ", "Target: ", "Steps: "} {
			if !strings.Contains(text, want) {
				t.Errorf("%+v: the picture lacks %q", v, want)
			}
		}
		if drawn := strings.Contains(text, "Encoder self-attention, layer"); drawn != (v.Layer > 0 || v.Head > 0) {
			t.Errorf("%+v: single heads drawn: %v", v, drawn)
		}
	}
}

func TestWhatCannotBeInspectedIsAnErrorThatSaysWhy(t *testing.T) {
	e := untrained(t)
	for _, c := range []struct {
		name, text, want string
		o                inspect.Options
	}{
		{"no text", " \t", "sentence is empty", inspect.Options{Top: 1}},
		{"long text", strings.Repeat("cat ", 30), "at most 24", inspect.Options{Top: 1}},
		{"long target", "cat", "the target has", inspect.Options{Top: 1, Target: strings.Repeat("chat ", 30)}},
		{"blank target", "cat", "target is empty", inspect.Options{Top: 1, Target: "  "}},
		{"too many tokens", "cat", "vocabulary of", inspect.Options{Top: 100000}},
		{"negative neighbours", "cat", "neighbours", inspect.Options{Top: 1, Neighbours: -1}},
	} {
		if _, err := inspect.Sentence(context.Background(), e, nil, c.text, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	e.Model.Store().Values()[3] = float32(math.NaN())
	id, _ := e.Tokenizer.ID("</s>")
	e.Model.EmbeddingOf(id, true)[0] = float32(math.NaN())
	if _, err := inspect.Sentence(context.Background(), e, nil, "cat", inspect.Options{Top: 1, Target: "chat"}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("weights that are not numbers: %v", err)
	}
}

func TestThreadsDoNotChangeTheReport(t *testing.T) {
	e := untrained(t)
	pool := kernel.NewPool(3)
	defer pool.Close()
	alone := look(t, e, "the old cat sleeps", inspect.Options{Neighbours: 2, Top: 2})
	r, err := inspect.Sentence(context.Background(), e, pool, "the old cat sleeps", inspect.Options{Neighbours: 2, Top: 2})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(alone, r); diff != "" {
		t.Error(diff)
	}
}
