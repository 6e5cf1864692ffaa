package decode_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// loadDecoder opens a decoder-only fixture; it skips the test where that is not there.
func loadDecoder(t testing.TB, name string) (m *model.Decoder, dir string) {
	t.Helper()
	dir = filepath.Join("..", "model", "testdata", name)
	if _, err := os.Stat(dir); err != nil {
		dir = filepath.Join("..", "..", "shared", "fixtures", "models", name)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("%s is not there", dir)
	}
	d, err := hub.LoadDecoder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d.Model, dir
}

// answered is a request and what it was told.
type answered struct {
	decode.Request
	answers [][]decode.Token
	err     error
}

// ask prepares a request whose answers are collected.
func ask(prompt []int32, change func(r *decode.Request)) *answered {
	a := &answered{Request: decode.Request{Context: context.Background(), Prompt: prompt, Sampling: decode.DefaultSampling()}}
	a.Sampling.Temperature = 0
	if change != nil {
		change(&a.Request)
	}
	a.answers = make([][]decode.Token, max(a.Answers, 1))
	a.Emit = func(i int, t decode.Token) bool {
		t.Alternatives = slices.Clone(t.Alternatives)
		a.answers[i] = append(a.answers[i], t)
		return true
	}
	a.Fail = func(err error) { a.err = err }
	return a
}

func (a *answered) ids(i int) []int32 {
	var ids []int32
	for _, t := range a.answers[i] {
		ids = append(ids, t.ID)
	}
	return ids
}

func (a *answered) end(i int) decode.End {
	if n := len(a.answers[i]); n > 0 {
		return a.answers[i][n-1].End
	}
	return decode.NotEnded
}

// answer has all requests answered, the i-th arriving before step i·apart.
func answer(t testing.TB, g *decode.Generator, apart int, requests ...*answered) {
	t.Helper()
	for step := 0; ; step++ {
		for i, r := range requests {
			if i*apart == step {
				if err := g.Add(&r.Request); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !g.Step() && step >= (len(requests)-1)*apart {
			return
		}
	}
}

func generator(t testing.TB, m *model.Decoder, threads int, o decode.GeneratorOptions) *decode.Generator {
	pool := kernel.NewPool(threads)
	t.Cleanup(pool.Close)
	return decode.NewGenerator(m, pool, o)
}

func TestGreedyContinuationsEqualTransformers(t *testing.T) {
	for _, name := range []string{
		"gpt2", "llama", "llama3", "llama-256", "llama-linear", "llama-sharded", "llama-yarn", "mistral", "qwen2", "qwen3",
	} {
		t.Run(name, func(t *testing.T) {
			m, dir := loadDecoder(t, name)
			text, err := os.ReadFile(filepath.Join(dir, "golden.json"))
			if err != nil {
				t.Skip(err)
			}
			var golden struct {
				Greedy struct {
					Cases []struct{ Prompt, Continuation []int32 }
				}
			}
			if err := json.Unmarshal(text, &golden); err != nil {
				t.Fatal(err)
			}
			var requests []*answered
			for _, c := range golden.Greedy.Cases {
				requests = append(requests, ask(c.Prompt, func(r *decode.Request) { r.MaxTokens = len(c.Continuation) }))
			}
			answer(t, generator(t, m, 2, decode.GeneratorOptions{Prompt: 5}), 3, requests...)
			for i, c := range golden.Greedy.Cases {
				if got := requests[i].ids(0); !slices.Equal(got, c.Continuation) || requests[i].end(0) != decode.Length {
					t.Errorf("after %v come %v (%v), want %v", c.Prompt, got, requests[i].err, c.Continuation)
				}
			}
		})
	}
}

// prompt is n tokens that look like no text.
func prompt(n, seed int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32((i*i*7 + i*seed + seed) % 96)
	}
	return ids
}

// manyKinds are requests of every kind, for models of 96 tokens.
func manyKinds(context int) []*answered {
	var requests []*answered
	add := func(length int, change func(r *decode.Request)) {
		i := len(requests)
		requests = append(requests, ask(prompt(length, i+1), func(r *decode.Request) {
			r.MaxTokens, r.LogProbs, r.Ends = 5+i%9, 3, []int32{2}
			r.Sampling.Temperature, r.Sampling.Seed = 1, uint64(i)
			change(r)
		}))
	}
	for range 3 {
		add(1, func(r *decode.Request) { r.Sampling.Temperature = 0 })
		add(context-2, func(r *decode.Request) { r.MaxTokens = 0 })
		add(7, func(r *decode.Request) { r.Answers, r.Sampling.TopP = 5, 0.9 })
		add(12, func(r *decode.Request) { r.Sampling.TopK, r.Sampling.MinP = 20, 0.02 })
		add(20, func(r *decode.Request) { r.Sampling.RepetitionPenalty, r.Sampling.FrequencyPenalty = 1.3, 0.2 })
		add(9, func(r *decode.Request) { r.Beams, r.Answers, r.LogProbs, r.Sampling.Temperature = 4, 3, 0, 0 })
		add(16, func(r *decode.Request) { r.Choices, r.MaxTokens = [][]int32{{5, 6}, {5, 7, 8}, {9}}, 0 })
		add(13, func(r *decode.Request) {
			r.Choices, r.Beams, r.Answers, r.LogProbs, r.Sampling.Temperature = [][]int32{{5, 6}, {5, 7, 8}, {9}}, 3, 3, 0, 0
		})
		add(4, func(r *decode.Request) {
			r.Sampling.TypicalP, r.Sampling.MinTokens, r.Sampling.NoRepeatNGram = 0.8, 4, 2
		})
		add(11, func(r *decode.Request) { r.Sampling.Bias = []decode.Bias{{Tokens: []int32{2}, Add: 3}} })
	}
	return requests
}

// TestARequestInCompanyGetsTheBitsItGetsAlone holds for any company, time of arrival, piece of a prompt and number of threads.
func TestARequestInCompanyGetsTheBitsItGetsAlone(t *testing.T) {
	for _, name := range []string{"llama-train", "gpt2-train"} {
		m, _ := loadDecoder(t, name)
		alone := manyKinds(m.Config.MaxPositions)
		for _, r := range alone {
			answer(t, generator(t, m, 1, decode.GeneratorOptions{}), 1, r)
			if r.err != nil || r.end(0) == decode.NotEnded {
				t.Fatalf("%s: a request ends with %v", name, r.err)
			}
		}
		for _, c := range []struct{ threads, rows, prompt, apart int }{
			{1, 64, 256, 0}, {2, 64, 256, 0}, {3, 8, 256, 1}, {2, 5, 1, 0}, {1, 16, 7, 2}, {2, 200, 33, 0},
		} {
			together := manyKinds(m.Config.MaxPositions)
			answer(t, generator(t, m, c.threads, decode.GeneratorOptions{Rows: c.rows, Prompt: c.prompt}), c.apart, together...)
			for i := range alone {
				if got, want := fmt.Sprint(together[i].answers), fmt.Sprint(alone[i].answers); got != want || together[i].err != nil {
					t.Errorf("%s, %+v: request %d gets\n%s (%v), alone it gets\n%s", name, c, i, got, together[i].err, want)
				}
			}
		}
	}
}

func TestAnAnswerDoesNotDependOnHowManyThereAre(t *testing.T) {
	m, _ := loadDecoder(t, "llama-train")
	several := func(n int) *answered {
		a := ask(prompt(10, 3), func(r *decode.Request) { r.Answers, r.MaxTokens, r.Sampling.Temperature = n, 20, 1 })
		answer(t, generator(t, m, 1, decode.GeneratorOptions{}), 0, a)
		return a
	}
	two, six := several(2), several(6)
	for i := range 2 {
		if !slices.Equal(two.ids(i), six.ids(i)) {
			t.Errorf("answer %d of two is %v, of six %v", i, two.ids(i), six.ids(i))
		}
	}
	if slices.Equal(six.ids(0), six.ids(1)) {
		t.Error("two answers are drawn with the same random numbers")
	}
}

func TestLogProbsAreTheModelsOwn(t *testing.T) {
	m, _ := loadDecoder(t, "llama-train")
	a := ask(prompt(10, 3), func(r *decode.Request) {
		r.LogProbs, r.MaxTokens, r.Sampling.Temperature, r.Sampling.TopK = 4, 12, 2, 50
	})
	answer(t, generator(t, m, 1, decode.GeneratorOptions{}), 0, a)
	text := append(slices.Clone(a.Prompt), a.ids(0)...)
	var b model.TokenBatch
	b.AddText(text)
	nll := make([]float32, len(b.Input))
	tape := &grad.Tape{}
	tape.Begin(grad.Mode{})
	m.Loss(tape, &b, 1, nll)
	for i, token := range a.answers[0] {
		if want := -float64(nll[len(a.Prompt)-1+i]); math.Abs(token.LogProb-want) > 1e-5 {
			t.Errorf("token %d has log-probability %g, want %g", i, token.LogProb, want)
		}
		if len(token.Alternatives) != 4 || !slices.IsSortedFunc(token.Alternatives, func(a, b decode.Alternative) int {
			return -cmp.Compare(a.LogProb, b.LogProb)
		}) {
			t.Errorf("the alternatives of token %d are %v", i, token.Alternatives)
		}
		for _, other := range token.Alternatives {
			if other.ID == token.ID && other.LogProb != token.LogProb {
				t.Errorf("token %d has log-probability %g, as an alternative %g", i, token.LogProb, other.LogProb)
			}
		}
	}
}

// TestTheSamplersLogProbsHaveTheTrainersBits is what makes a ratio of new to old probabilities start at exactly 1.
func TestTheSamplersLogProbsHaveTheTrainersBits(t *testing.T) {
	for _, name := range []string{"llama-train", "gpt2-train"} {
		m, _ := loadDecoder(t, name)
		for _, packed := range []bool{false, true} {
			if packed {
				m.Store().Pack(kernel.NewPool(2))
			}
			var asked []*answered
			for i := range 12 {
				asked = append(asked, ask(prompt(1+2*i, i), func(r *decode.Request) {
					r.LogProb, r.MaxTokens, r.Answers, r.Sampling.Temperature, r.Sampling.Seed = true, 40, 1+i%3, 1, uint64(i)
				}))
			}
			answer(t, generator(t, m, 2, decode.GeneratorOptions{}), 1, asked...)
			m.Store().Unpack()
			var b model.TokenBatch // all answers in one pass, as a trainer has them
			var rows, targets []int32
			var saw []float64
			for _, a := range asked {
				for i, tokens := range a.answers {
					row := len(b.Input)
					text := append(slices.Clone(a.Prompt), a.ids(i)...)
					b.AddText(text)
					for j, token := range tokens {
						rows, targets = append(rows, int32(row+len(a.Prompt)-1+j)), append(targets, token.ID)
						saw = append(saw, token.LogProb)
					}
				}
			}
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			m.Store().Trainable()
			tape.Begin(grad.Mode{Record: true})
			x := m.LogProbs(tape, &b, rows, targets).Value()
			for i, p := range saw {
				if float32(p) != x.Row(i)[0] {
					t.Fatalf("%s, packed %v: token %d of %d was drawn with log p %v; training computes %v", name, packed, i, len(saw), p, x.Row(i)[0])
				}
			}
		}
	}
}

// TestBeamSearchFindsTheBest searches with as many beams as there are tokens, so that no answer of two tokens is missed.
func TestBeamSearchFindsTheBest(t *testing.T) {
	m, _ := loadDecoder(t, "llama-train")
	v, eos, start := m.Config.VocabSize, int32(2), prompt(6, 5)
	type scored struct {
		ids   []int32
		score float64
	}
	logProbs := func(ids []int32) []float64 {
		var b model.TokenBatch
		b.Add(ids, slices.Repeat([]int32{-1}, len(ids)))
		tape := &grad.Tape{}
		tape.Begin(grad.Mode{})
		row := m.Logits(tape, &b).Value().Row(len(ids) - 1)
		out, all := make([]float64, v), float64(kernel.LogSumExp(row))
		for i, x := range row {
			out[i] = float64(x) - all
		}
		return out
	}
	var every []scored
	for a, p := range logProbs(start) {
		if int32(a) == eos {
			every = append(every, scored{[]int32{eos}, p})
			continue
		}
		for b, q := range logProbs(append(slices.Clone(start), int32(a))) {
			every = append(every, scored{[]int32{int32(a), int32(b)}, (p + q) / 2})
		}
	}
	slices.SortStableFunc(every, func(a, b scored) int { return -cmp.Compare(a.score, b.score) })
	a := ask(start, func(r *decode.Request) {
		r.Beams, r.Answers, r.MaxTokens, r.LengthPenalty, r.Ends, r.Early = v, 10, 2, 1, []int32{eos}, model.StopNever
	})
	answer(t, generator(t, m, 2, decode.GeneratorOptions{Rows: 100}), 0, a)
	for i := range a.answers {
		last := a.answers[i][len(a.answers[i])-1]
		if !slices.Equal(a.ids(i), every[i].ids) || math.Abs(last.Score-every[i].score) > 1e-4 {
			t.Errorf("answer %d is %v with score %g, want %v with %g", i, a.ids(i), last.Score, every[i].ids, every[i].score)
		}
		if end := last.End == decode.EndOfText; end != (last.ID == eos) {
			t.Errorf("answer %d, %v, ends with %d", i, a.ids(i), last.End)
		}
	}
}

func TestAnswersAreAmongTheChoices(t *testing.T) {
	m, _ := loadDecoder(t, "llama-train")
	choices := [][]int32{{5}, {5, 6, 7}, {5, 6, 8}, {40, 2, 2}, {90}}
	seen := map[string]bool{}
	for seed := range 60 {
		a := ask(prompt(10, seed), func(r *decode.Request) {
			r.Choices, r.Ends = choices, []int32{95}
			r.Sampling.Seed, r.Sampling.Temperature, r.Answers = uint64(seed), 3, 4
		})
		answer(t, generator(t, m, 1, decode.GeneratorOptions{}), 0, a)
		for i := range a.answers {
			ids := a.ids(i)
			if a.end(i) == decode.EndOfText {
				ids = ids[:len(ids)-1]
			} else if a.end(i) != decode.Chosen {
				t.Errorf("a choice ends with %d", a.end(i))
			}
			if !slices.ContainsFunc(choices, func(c []int32) bool { return slices.Equal(c, ids) }) {
				t.Fatalf("%v is none of the choices", ids)
			}
			seen[fmt.Sprint(ids)] = true
		}
	}
	if len(seen) != len(choices) {
		t.Errorf("of the choices only %v are ever chosen", seen)
	}
}

func TestAnswersEndWhereTheyShould(t *testing.T) {
	m, _ := loadDecoder(t, "llama-train")
	run := func(length int, change func(r *decode.Request)) *answered {
		a := ask(prompt(length, 1), change)
		answer(t, generator(t, m, 1, decode.GeneratorOptions{}), 0, a)
		return a
	}
	free := run(10, func(r *decode.Request) { r.MaxTokens = 20 }).ids(0)
	at := 5
	for slices.Contains(free[:at], free[at]) {
		at++
	}
	ended := run(10, func(r *decode.Request) { r.Ends = []int32{95, free[at]} })
	if !slices.Equal(ended.ids(0), free[:at+1]) || ended.end(0) != decode.EndOfText {
		t.Errorf("with the end %d, %v become %v", free[at], free, ended.ids(0))
	}
	late := run(10, func(r *decode.Request) { r.Ends, r.MaxTokens, r.Sampling.MinTokens = []int32{free[at]}, 20, at+3 })
	if n := len(late.ids(0)); n < at+3 || slices.Contains(late.ids(0)[:at+3], free[at]) {
		t.Errorf("of at least %d tokens there are %v", at+3, late.ids(0))
	}
	if full := run(m.Config.MaxPositions-3, nil); len(full.ids(0)) != 3 || full.end(0) != decode.Length {
		t.Errorf("in a context with room for 3 tokens there are %v", full.ids(0))
	}
	beams := run(10, func(r *decode.Request) {
		r.Beams, r.Ends, r.MaxTokens, r.Sampling.MinTokens = 3, []int32{2, 3, free[0]}, 12, 6
	})
	if n := len(beams.ids(0)); n < 7 || n > 12 {
		t.Errorf("a search for more than 6 tokens, at most 12, finds %v", beams.ids(0))
	}
}

func TestOneWhoLeavesHarmsNobody(t *testing.T) {
	m, _ := loadDecoder(t, "llama-train")
	calm := func() *answered { return ask(prompt(12, 2), func(r *decode.Request) { r.MaxTokens = 20 }) }
	want := calm()
	answer(t, generator(t, m, 1, decode.GeneratorOptions{}), 0, want)
	for _, kind := range []func(r *decode.Request){
		func(r *decode.Request) {}, func(r *decode.Request) { r.Answers = 3 }, func(r *decode.Request) { r.Beams = 3 },
	} {
		ctx, cancel := context.WithCancel(context.Background())
		leaves, stops, got := ask(prompt(40, 1), kind), ask(prompt(9, 1), nil), calm()
		leaves.Context, leaves.MaxTokens = ctx, 20
		emit, told := stops.Emit, 0
		stops.Emit = func(i int, t decode.Token) bool { told++; return emit(i, t) && told < 4 }
		g := generator(t, m, 1, decode.GeneratorOptions{Prompt: 10})
		for _, r := range []*answered{leaves, stops, got} {
			if err := g.Add(&r.Request); err != nil {
				t.Fatal(err)
			}
		}
		for step := 0; g.Step(); step++ {
			if step == 8 {
				cancel()
			}
		}
		cancel()
		if !errors.Is(leaves.err, context.Canceled) || told != 4 || stops.err != nil {
			t.Errorf("a request whose context ends is told %v; one that stops after 4 tokens gets %d, %v", leaves.err, told, stops.err)
		}
		if !slices.Equal(got.ids(0), want.ids(0)) {
			t.Errorf("beside one that leaves, %v become %v", want.ids(0), got.ids(0))
		}
	}
}

func TestRequestsThatCannotBeAnsweredAreRefused(t *testing.T) {
	m, _ := loadDecoder(t, "llama-train")
	g := generator(t, m, 1, decode.GeneratorOptions{Rows: 8})
	for _, c := range []struct {
		prompt []int32
		change func(r *decode.Request)
		word   string
	}{
		{nil, nil, "no tokens"},
		{prompt(64, 1), nil, "64"},
		{[]int32{1, 96}, nil, "id 96"},
		{[]int32{1}, func(r *decode.Request) { r.Ends = []int32{-1} }, "id -1"},
		{[]int32{1}, func(r *decode.Request) { r.Sampling.TopP = 2 }, "top-p"},
		{[]int32{1}, func(r *decode.Request) { r.MaxTokens = -1 }, "negative"},
		{[]int32{1}, func(r *decode.Request) { r.LogProbs = 97 }, "97"},
		{[]int32{1}, func(r *decode.Request) { r.Answers = 9 }, "9 answers"},
		{[]int32{1}, func(r *decode.Request) { r.Beams = 9 }, "9 beams"},
		{[]int32{1}, func(r *decode.Request) { r.Beams, r.Answers = 2, 3 }, "more beams"},
		{[]int32{1}, func(r *decode.Request) { r.Beams, r.Sampling.Temperature = 2, 1 }, "temperature"},
		{[]int32{1}, func(r *decode.Request) { r.Beams, r.LogProbs = 2, 1 }, "alternatives"},
		{[]int32{1}, func(r *decode.Request) { r.Beams, r.LengthPenalty = 2, math.NaN() }, "length penalty"},
		{[]int32{1}, func(r *decode.Request) { r.Choices = [][]int32{{1}, nil} }, "choice"},
		{[]int32{1}, func(r *decode.Request) { r.Choices, r.Beams, r.Answers = [][]int32{{1}, {2}, {1}}, 4, 3 }, "2 different choices"},
		{[]int32{1}, func(r *decode.Request) { r.Choices = [][]int32{{1}, {1, 2}} }, "beginning"},
	} {
		if err := g.Add(&ask(c.prompt, c.change).Request); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%v; want an error that says %q", err, c.word)
		}
	}
}

func TestDamagedLogitsFailTheRequest(t *testing.T) {
	m, _ := loadDecoder(t, "llama-train")
	for _, p := range m.Params() {
		if p.Name == "model.norm.weight" {
			p.Data[0] = float32(math.NaN())
		}
	}
	for _, change := range []func(r *decode.Request){
		nil, func(r *decode.Request) { r.Sampling.Temperature = 1 }, func(r *decode.Request) { r.Beams = 2 },
	} {
		a := ask([]int32{1, 5}, change)
		answer(t, generator(t, m, 1, decode.GeneratorOptions{}), 0, a)
		if a.err == nil || !strings.Contains(a.err.Error(), "damaged") {
			t.Errorf("%v, %v", a.err, a.answers)
		}
	}
}

// Requests take the memory of earlier ones, whichever is free: it is warm when each piece has served for everything.
func TestDecodingAllocatesNothingOnceWarm(t *testing.T) {
	m, _ := loadDecoder(t, "llama-train")
	g := generator(t, m, 2, decode.GeneratorOptions{})
	requests := manyKinds(m.Config.MaxPositions)
	for _, r := range requests {
		r.Emit, r.MaxTokens = func(int, decode.Token) bool { return true }, 0
	}
	var before, after runtime.MemStats
	for range 500 {
		for _, r := range requests {
			if err := g.Add(&r.Request); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&before)
		for g.Step() {
		}
		if runtime.ReadMemStats(&after); after.Mallocs == before.Mallocs {
			return
		}
	}
	t.Errorf("%d allocations while %d requests are answered", after.Mallocs-before.Mallocs, len(requests))
}
