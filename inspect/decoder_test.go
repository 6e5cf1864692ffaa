package inspect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/inspect"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// storyteller is a small model that was trained: 5 layers, 8 heads, 512 tokens.
func storyteller(t testing.TB) (*hub.Decoder, *tokenizer.Tokenizer) {
	t.Helper()
	const dir = "../testdata/storyteller"
	d, err := hub.LoadDecoder(dir)
	if err != nil {
		t.Fatal(err)
	}
	tok, _, err := hub.LoadTokenizers(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d, tok
}

func lookAtText(t testing.TB, prompt string, o inspect.TextOptions) *inspect.TextReport {
	t.Helper()
	d, tok := storyteller(t)
	r, err := inspect.Text(context.Background(), d, tok, nil, prompt, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAModelIsFollowedThroughItsOwnContinuation(t *testing.T) {
	r := lookAtText(t, "Once upon a time, there was a little", inspect.TextOptions{MaxTokens: 9, Top: 4})
	if r.Forced || r.Continuation != " girl named Lily. She loved" || r.Prompted != 10 || len(r.Tokens) != 19 || r.Tokens[0].Token != "<s>" {
		t.Fatalf("%q, %d tokens, %d of the prompt", r.Continuation, len(r.Tokens), r.Prompted)
	}
	sum := 0.0
	for i, s := range r.Steps {
		switch last := i == len(r.Tokens)-1; {
		case !last && s.ID != r.Tokens[i+1].ID:
			t.Errorf("step %d is about token %d, %d follows", i, s.ID, r.Tokens[i+1].ID)
		case i >= r.Prompted-1 && (s.Rank != 1 || s.Top[0].ID != s.ID || s.Top[0].Prob != s.Prob):
			t.Errorf("step %d: greedy search chose %+v", i, s)
		case i >= r.Prompted-1 && !last:
			sum += math.Log(s.Prob)
		}
	}
	if math.Abs(sum-r.LogProb) > 1e-12 || len(r.Steps) != len(r.Tokens) || len(r.Steps[0].Top) != 4 {
		t.Errorf("%d steps, log-probability %g, want %g", len(r.Steps), r.LogProb, sum)
	}
	// The same continuation, given, is followed in the same way.
	forced := lookAtText(t, r.Prompt, inspect.TextOptions{Continuation: r.Continuation, Top: 4})
	if !forced.Forced || forced.LogProb != r.LogProb {
		t.Errorf("given, it has log-probability %g, its own %g", forced.LogProb, r.LogProb)
	}
	forced.Forced = false
	if diff := cmp.Diff(r, forced); diff != "" {
		t.Error(diff)
	}
}

func TestTheLensOfTheLastLayerIsTheModel(t *testing.T) {
	r := lookAtText(t, "Once upon a time", inspect.TextOptions{MaxTokens: 3, Top: 5, Neighbours: 2})
	if len(r.Lens) != 6 || len(r.Attention) != 5*8 {
		t.Fatalf("%d layers and %d heads", len(r.Lens), len(r.Attention))
	}
	if diff := cmp.Diff(r.Steps, r.Lens[5].Steps); diff != "" {
		t.Error(diff)
	}
	d, _ := storyteller(t)
	var b model.TokenBatch
	var ids []int32
	for _, token := range r.Tokens {
		ids = append(ids, token.ID)
	}
	b.Add(ids, make([]int32, len(ids)))
	tape := grad.Tape{}
	tape.Begin(grad.Mode{})
	logits := d.Model.Logits(&tape, &b).Value()
	for i, s := range r.Steps {
		sum := 0.0
		for _, x := range logits.Row(i) {
			sum += math.Exp(float64(x))
		}
		if want := math.Exp(float64(logits.Row(i)[s.ID])) / sum; math.Abs(s.Prob-want) > 1e-9 {
			t.Errorf("step %d: probability %g, by the model's logits %g", i, s.Prob, want)
		}
	}
	for i, l := range r.Lens {
		if l.Layer != i || len(l.Steps) != len(r.Tokens) || i < 5 && len(l.Steps[0].Top) != 3 {
			t.Errorf("layer %d is %d, with %d steps", i, l.Layer, len(l.Steps))
		}
	}
	// Embedding and output layer are one matrix here, so that before any layer each token is most like itself.
	for i, s := range r.Lens[0].Steps {
		if s.Top[0].ID != r.Tokens[i].ID {
			t.Errorf("the embedding of %q says %q", r.Tokens[i].Token, s.Top[0].Token)
		}
	}
	for _, h := range r.Attention {
		for i, row := range h.Weights {
			sum := 0.0
			for j, w := range row {
				if sum += float64(w); j > i && w != 0 {
					t.Errorf("layer %d, head %d: token %d looks at %d", h.Layer, h.Head, i, j)
				}
			}
			if math.Abs(sum-1) > 1e-5 {
				t.Errorf("layer %d, head %d: row %d sums to %g", h.Layer, h.Head, i, sum)
			}
		}
	}
	if len(r.Select(2, 0)) != 8 || len(r.Select(0, 3)) != 5 || len(r.Select(2, 3)) != 1 || r.Tokens[1].Neighbours[0].Text != " One" {
		t.Errorf("heads or neighbours: %+v", r.Tokens[1])
	}
}

func TestATextReportInAllItsForms(t *testing.T) {
	r := lookAtText(t, `<script>"Tom"</script>`, inspect.TextOptions{MaxTokens: 4, Top: 3, Neighbours: 2})
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back inspect.TextReport
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*r, back); diff != "" {
		t.Error(diff)
	}
	var page bytes.Buffer
	if err := r.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, outside := range []string{"http:", "https:", "//cdn", "src=", "href=", "url(", "@import", "fetch("} {
		if strings.Contains(page.String(), outside) {
			t.Errorf("the page contains %s", outside)
		}
	}
	if strings.Contains(page.String(), `<script>"Tom`) || strings.Count(page.String(), "<script>") != 1 || !strings.Contains(page.String(), `"lens":[`) {
		t.Error("the page does not escape the text, or lacks the report")
	}
	for _, v := range []inspect.View{{}, {Width: 40}, {Layer: 5, Head: 8, Width: 80}} {
		var picture bytes.Buffer
		if err := r.WriteText(&picture, v); err != nil {
			t.Fatal(err)
		}
		drawn := v.Layer > 0
		for want, there := range map[string]bool{
			"from here on, the continuation": true, "next would come": true, "Logit lens": !drawn, "layer 5 ": !drawn, "embed.": !drawn,
			"Self-attention, layer 5, head 8": drawn, "Attention: where each head looks": !drawn,
		} {
			if strings.Contains(picture.String(), want) != there {
				t.Errorf("%+v: %q in the picture: %v\n%s", v, want, !there, &picture)
			}
		}
		_, lens, _ := strings.Cut(picture.String(), "in %\n")
		for _, line := range strings.Split(lens, "\n") {
			if n := len([]rune(line)); v.Width > 0 && n > v.Width && strings.HasPrefix(line, "layer") {
				t.Errorf("%+v: a line of %d columns: %s", v, n, line)
			}
		}
	}
}

func TestTextThatCannotBeInspectedIsAnErrorThatSaysWhy(t *testing.T) {
	d, tok := storyteller(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		ctx    context.Context
		prompt string
		o      inspect.TextOptions
		want   string
	}{
		{context.Background(), strings.Repeat("cat ", 600), inspect.TextOptions{Top: 1}, "at most 511"},
		{context.Background(), "cat", inspect.TextOptions{Top: 1, Continuation: strings.Repeat(" cat", 600)}, "with the continuation; at most 512"},
		{context.Background(), "cat", inspect.TextOptions{Top: 1000}, "vocabulary of 512"},
		{context.Background(), "cat", inspect.TextOptions{Top: 1, Neighbours: -1}, "-1 neighbours"},
		{ctx, "cat", inspect.TextOptions{Top: 1}, "canceled"},
	} {
		if _, err := inspect.Text(c.ctx, d, tok, nil, c.prompt, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.want, err)
		}
	}
	r, err := inspect.Text(context.Background(), d, tok, nil, "", inspect.TextOptions{Top: 1, MaxTokens: 2})
	if err != nil || r.Prompted != 1 || len(r.Tokens) != 3 {
		t.Errorf("an empty prompt: %+v, %v", r, err)
	}
	d.Model.Store().Values()[3] = float32(math.NaN())
	d.Model.EmbeddingOf(1)[0] = float32(math.NaN())
	if _, err := inspect.Text(context.Background(), d, tok, nil, "cat", inspect.TextOptions{Top: 1, Continuation: "s"}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("weights that are not numbers: %v", err)
	}
}

func TestThreadsDoNotChangeATextReport(t *testing.T) {
	d, tok := storyteller(t)
	pool := kernel.NewPool(3)
	defer pool.Close()
	o := inspect.TextOptions{Neighbours: 2, Top: 2, MaxTokens: 5}
	r, err := inspect.Text(context.Background(), d, tok, pool, "Once upon a time", o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lookAtText(t, "Once upon a time", o), r); diff != "" {
		t.Error(diff)
	}
}
