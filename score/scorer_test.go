package score_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/score"
)

// load opens a fixture, a small one beside the tests of package model or a larger one outside of the repository, and skips the
// test where it is not.
func load(t testing.TB, name string) (*model.Decoder, string) {
	t.Helper()
	for _, dir := range []string{filepath.Join("..", "model", "testdata", name), filepath.Join("..", "..", "shared", "fixtures", "models", name)} {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		d, err := hub.LoadDecoder(dir)
		if err != nil {
			t.Fatal(err)
		}
		return d.Model, dir
	}
	t.Skipf("../shared/fixtures/models/%s is not there", name)
	return nil, ""
}

// run scores requests on so many threads, so many rows at a time.
func run(t testing.TB, m *model.Decoder, threads, rows int, requests ...*score.Request) {
	t.Helper()
	pool := kernel.NewPool(threads)
	defer pool.Close()
	if err := runOn(score.New(m, pool, rows), requests...); err != nil {
		t.Fatal(err)
	}
}

func runOn(s *score.Scorer, requests ...*score.Request) error {
	asked, answered := 0, 0
	return s.Run(context.Background(), func() (*score.Request, error) {
		if asked == len(requests) {
			return nil, nil
		}
		asked++
		return requests[asked-1], nil
	}, func(r *score.Request) error {
		if r != requests[answered] {
			return fmt.Errorf("request %d is answered out of order", answered)
		}
		answered++
		return nil
	})
}

// text is a request that scores all tokens but the first.
func text(ids []int32) *score.Request {
	return &score.Request{Context: ids[:1], Continuations: []score.Continuation{{Tokens: ids[1:], Scored: len(ids) - 1}}}
}

func sum(nll []float32) float64 {
	total := 0.0
	for _, x := range nll {
		total += float64(x)
	}
	return total
}

func TestLogLikelihoodsEqualTransformers(t *testing.T) {
	for _, name := range []string{
		"gpt2", "llama", "llama3", "llama-256", "llama-linear", "llama-sharded", "llama-yarn", "mistral", "qwen2", "qwen3",
	} {
		t.Run(name, func(t *testing.T) {
			m, dir := load(t, name)
			content, err := os.ReadFile(filepath.Join(dir, "golden.json"))
			if err != nil {
				t.Skip(err)
			}
			var golden struct {
				Seqs struct {
					SumLogLik []float64 `json:"sum_loglik"`
				}
			}
			if err := json.Unmarshal(content, &golden); err != nil {
				t.Fatal(err)
			}
			tensors, err := hub.Open(filepath.Join(dir, "golden.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer tensors.Close()
			var requests []*score.Request
			var want []float64
			for i, sum := range golden.Seqs.SumLogLik {
				stored, _, err := tensors.Int64(fmt.Sprintf("seq%d", i))
				if err != nil {
					t.Fatal(err)
				}
				ids := make([]int32, len(stored))
				for j, id := range stored {
					ids[j] = int32(id)
				}
				if len(ids) > 1 {
					requests, want = append(requests, text(ids)), append(want, sum)
				}
			}
			run(t, m, 2, 11, requests...)
			for i, r := range requests {
				if got := -sum(r.Continuations[0].NLL); math.Abs(got-want[i]) > 1e-3 {
					t.Errorf("%d tokens have log-likelihood %g, want %g", len(r.Continuations[0].NLL)+1, got, want[i])
				}
			}
			if len(requests) < 2 {
				t.Errorf("%d sequences", len(requests))
			}
		})
	}
}

// questions are requests of many shapes, for models of 96 tokens.
func questions(context int) []*score.Request {
	var requests []*score.Request
	ids := func(n int) []int32 {
		tokens := make([]int32, n)
		for i := range tokens {
			tokens[i] = int32((i*i*7 + (i+1)*(len(requests)+n)) % 96)
		}
		return tokens
	}
	for range 3 {
		requests = append(requests, text(ids(context)), text(ids(2)), text(ids(17)))
		for _, n := range []int{1, 5, 20} {
			r := &score.Request{Context: ids(n)}
			for choice := range 4 {
				c := ids(1 + 3*choice)
				r.Continuations = append(r.Continuations, score.Continuation{Tokens: c, Scored: 1 + choice*2})
			}
			requests = append(requests, r)
		}
	}
	return requests
}

// TestARequestInCompanyGetsTheBitsItGetsAlone holds for any company, number of rows and threads, and the bits are those of the
// loss in training, where nothing is in a cache.
func TestARequestInCompanyGetsTheBitsItGetsAlone(t *testing.T) {
	for _, name := range []string{"llama-train", "gpt2-train"} {
		m, _ := load(t, name)
		alone := questions(m.Config.MaxPositions)
		for _, r := range alone {
			for j, c := range r.Continuations {
				var b model.TokenBatch
				b.AddText(slices.Concat(r.Context, c.Tokens))
				all := make([]float32, len(b.Target))
				tape := grad.Tape{}
				tape.Begin(grad.Mode{})
				m.Loss(&tape, &b, 1, all)
				r.Continuations[j].NLL = all[len(all)-c.Scored:]
			}
		}
		for _, c := range []struct{ threads, rows int }{{1, 512}, {2, 512}, {3, 64}, {2, 7}, {1, 1}, {8, 33}} {
			together := questions(m.Config.MaxPositions)
			run(t, m, c.threads, c.rows, together...)
			for i := range alone {
				for j := range alone[i].Continuations {
					if got, want := together[i].Continuations[j].NLL, alone[i].Continuations[j].NLL; !slices.Equal(got, want) {
						t.Errorf("%s, %+v: request %d, continuation %d gets\n%v, alone\n%v", name, c, i, j, got, want)
					}
				}
			}
		}
	}
}

func TestNothingIsAllocatedOnceWarm(t *testing.T) {
	m, _ := load(t, "llama-train")
	pool := kernel.NewPool(2)
	defer pool.Close()
	s, requests := score.New(m, pool, 0), questions(m.Config.MaxPositions)
	asked := 0
	next := func() (*score.Request, error) {
		if asked == len(requests) {
			return nil, nil
		}
		asked++
		return requests[asked-1], nil
	}
	done := func(*score.Request) error { return nil }
	again := func() {
		asked = 0
		if err := s.Run(context.Background(), next, done); err != nil {
			t.Fatal(err)
		}
	}
	again()
	if n := testing.AllocsPerRun(5, again); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

func TestWhatCannotBeScoredIsAnError(t *testing.T) {
	m, _ := load(t, "llama-train")
	long := make([]int32, m.Config.MaxPositions+2)
	for _, c := range []struct {
		request score.Request
		want    string
	}{
		{score.Request{Continuations: []score.Continuation{{Tokens: []int32{1}, Scored: 1}}}, "context has no tokens"},
		{score.Request{Context: []int32{1}}, "no continuation"},
		{score.Request{Context: []int32{1}, Continuations: []score.Continuation{{Tokens: []int32{1}, Scored: 2}}}, "2 tokens of a continuation of 1"},
		{score.Request{Context: []int32{1}, Continuations: []score.Continuation{{Tokens: []int32{1, 5000}, Scored: 1}}}, "token 2 is 5000"},
		{score.Request{Context: []int32{-1}, Continuations: []score.Continuation{{Tokens: []int32{1}, Scored: 1}}}, "token 1 is -1"},
		{*text(long), "context is"},
	} {
		if err := runOn(score.New(m, nil, 0), text([]int32{1, 2, 3}), &c.request); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := score.New(m, nil, 0).Run(ctx, func() (*score.Request, error) { return text([]int32{1, 2}), nil }, nil); err != context.Canceled {
		t.Errorf("after cancelling: %v", err)
	}
	m.Store().Values()[0] = float32(math.NaN())
	if err := runOn(score.New(m, nil, 0), text([]int32{0, 0, 1})); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("weights that are not numbers: %v", err)
	}
}
