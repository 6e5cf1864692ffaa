package decode_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

const fixture = "../model/testdata/marian"

func load(t testing.TB) *model.EncDec {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(fixture, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	c := model.DefaultEncDecConfig()
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	m, err := model.NewEncDec(c)
	if err != nil {
		t.Fatal(err)
	}
	f, err := hub.Open(filepath.Join(fixture, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range m.Params() {
		if err := f.ReadFloat32(p.Name, p.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.ReadFloat32("final_logits_bias", m.LogitsBias()); err != nil {
		t.Fatal(err)
	}
	return m
}

type golden struct {
	MaxLength int `json:"max_length"`
	Cases     []struct {
		Src    []int32
		Greedy struct {
			IDs        []int32
			SumLogProb float64 `json:"sum_logprob"`
		}
		Beams []struct {
			Settings struct {
				NumBeams      int             `json:"num_beams"`
				LengthPenalty float64         `json:"length_penalty"`
				EarlyStopping json.RawMessage `json:"early_stopping"`
				MaxLength     int             `json:"max_length"`
			}
			Hyps   [][]int32
			Scores []float64
		}
	}
}

func readGolden(t testing.TB) golden {
	t.Helper()
	var g golden
	text, err := os.ReadFile(filepath.Join(fixture, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func translator(t testing.TB, m *model.EncDec, threads int, o decode.Options) *decode.Translator {
	t.Helper()
	tr, err := decode.NewTranslator(m, kernel.NewPool(threads), o)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func all(t testing.TB, tr *decode.Translator, sources [][]int32) []decode.Result {
	t.Helper()
	r, err := tr.All(context.Background(), sources)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// bare strips what transformers' ids have around a hypothesis: the start, and EOS where it ended.
func bare(ids []int32, eos int32) []int32 {
	ids = ids[1:]
	if n := len(ids); n > 0 && ids[n-1] == eos {
		ids = ids[:n-1]
	}
	return ids
}

func TestGreedyEqualsTransformers(t *testing.T) {
	g, m := readGolden(t), load(t)
	var sources [][]int32
	for _, c := range g.Cases {
		sources = append(sources, c.Src)
	}
	for i, r := range all(t, translator(t, m, 2, decode.Options{MaxLength: g.MaxLength, Scores: true}), sources) {
		want := g.Cases[i].Greedy
		if h := r.Hypotheses[0]; !slices.Equal(h.IDs, bare(want.IDs, 0)) || math.Abs(h.LogProb-want.SumLogProb) > 1e-3 {
			t.Errorf("source %d gives %v (%.6f), want %v (%.6f)", i, h.IDs, h.LogProb, want.IDs, want.SumLogProb)
		}
	}
}

func TestBeamSearchEqualsTransformers(t *testing.T) {
	g, m := readGolden(t), load(t)
	for i, c := range g.Cases {
		for _, b := range c.Beams {
			o := decode.Options{Beams: b.Settings.NumBeams, NBest: b.Settings.NumBeams, LengthPenalty: b.Settings.LengthPenalty, MaxLength: g.MaxLength}
			if b.Settings.MaxLength > 0 {
				o.MaxLength = b.Settings.MaxLength
			}
			switch string(b.Settings.EarlyStopping) {
			case "true":
				o.Early = model.StopFirst
			case `"never"`:
				o.Early = model.StopNever
			}
			got := all(t, translator(t, m, 2, o), [][]int32{c.Src})[0].Hypotheses
			for j, want := range b.Hyps {
				if j >= len(got) || !slices.Equal(got[j].IDs, bare(want, 0)) || math.Abs(got[j].Score-b.Scores[j]) > 1e-4 {
					t.Errorf("source %d, %+v: hypotheses %+v, want %v with scores %v", i, o, got, b.Hyps, b.Scores)
					break
				}
			}
		}
	}
}

func TestResultsDoNotDependOnCompanyThreadsOrPacking(t *testing.T) {
	g, m := readGolden(t), load(t)
	var sources [][]int32
	for n := range 60 {
		c := g.Cases[n%len(g.Cases)]
		s := slices.Clone(c.Src)
		s[0] = int32(1 + (int(s[0])+7*n)%400)
		sources = append(sources, s)
	}
	for _, beams := range []int{1, 4} {
		o := decode.Options{Beams: beams, NBest: beams, LengthPenalty: 1, MaxLength: 40, Scores: true, Rows: 1}
		want := all(t, translator(t, m, 1, o), sources)
		for _, rows := range []int{3, 32, 500} {
			for _, threads := range []int{1, 2, 3, 8} {
				o.Rows = rows
				if got := all(t, translator(t, m, threads, o), sources); !reflect.DeepEqual(got, want) {
					t.Errorf("%d beams, %d rows at once, %d threads: other results than alone on one thread", beams, rows, threads)
				}
			}
		}
		m.Store().Pack(nil)
		if got := all(t, translator(t, m, 2, o), sources); !reflect.DeepEqual(got, want) {
			t.Errorf("%d beams: packed weights give other results", beams)
		}
		m.Store().Unpack()
	}
}

func TestABadSourceConcernsItselfAlone(t *testing.T) {
	g, m := readGolden(t), load(t)
	long := make([]int32, m.Config.MaxPositions+1)
	r := all(t, translator(t, m, 1, decode.Options{MaxLength: 40}), [][]int32{{}, g.Cases[1].Src, long, {9999, 0}, g.Cases[0].Src})
	for i, bad := range []bool{true, false, true, true, false} {
		if (r[i].Err != nil) != bad {
			t.Errorf("source %d: error is %v", i, r[i].Err)
		}
	}
	if want := bare(g.Cases[1].Greedy.IDs, 0); !slices.Equal(r[1].Hypotheses[0].IDs, want) {
		t.Errorf("beside bad sources, a good one gives %v, want %v", r[1].Hypotheses[0].IDs, want)
	}
}

func TestDamagedWeightsAreAnError(t *testing.T) {
	g, m := readGolden(t), load(t)
	for i := range m.LogitsBias() {
		m.LogitsBias()[i] = float32(math.NaN())
	}
	for _, beams := range []int{1, 4} {
		r := all(t, translator(t, m, 1, decode.Options{Beams: beams, MaxLength: 10}), [][]int32{g.Cases[0].Src})
		if r[0].Err == nil {
			t.Errorf("%d beams: logits that are not numbers give %v", beams, r[0].Hypotheses)
		}
	}
}

func TestCancelAndFailingEmitEndTheRun(t *testing.T) {
	g, m := readGolden(t), load(t)
	tr := translator(t, m, 1, decode.Options{Beams: 4, MaxLength: 40, Rows: 16})
	endless := func(bool) ([]int32, decode.Supply) { return g.Cases[2].Src, decode.Ready }
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	err := tr.Run(ctx, endless, func(int, decode.Result) error {
		if n++; n == 20 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled run returns %v", err)
	}
	full := errors.New("disk full")
	if err := tr.Run(context.Background(), endless, func(int, decode.Result) error { return full }); !errors.Is(err, full) {
		t.Errorf("a failing emit gives %v", err)
	}
	if r := all(t, tr, [][]int32{g.Cases[0].Src}); r[0].Err != nil { // still usable
		t.Error(r[0].Err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	m := load(t)
	for _, o := range []decode.Options{{Beams: 2, NBest: 3}, {Beams: 5000}, {LengthPenalty: math.NaN()}, {MaxLength: -1}} {
		if _, err := decode.NewTranslator(m, nil, o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func BenchmarkGreedy(b *testing.B) {
	g, m := readGolden(b), load(b)
	m.Store().Pack(nil)
	var sources [][]int32
	for i := range 200 {
		sources = append(sources, g.Cases[i%len(g.Cases)].Src)
	}
	for _, rows := range []int{1, 16, 128} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			tr := translator(b, m, 2, decode.Options{MaxLength: 40, Rows: rows})
			b.ReportAllocs()
			for b.Loop() {
				all(b, tr, sources)
			}
			b.ReportMetric(float64(len(sources)*b.N)/b.Elapsed().Seconds(), "sentences/s")
		})
	}
}
