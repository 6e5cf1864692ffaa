package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func small() Options {
	return Options{Threads: 2, Repeats: 3, Window: time.Millisecond, Small: true, Vocab: 300, Updates: 3}
}

func TestEveryBenchGivesPlausibleFigures(t *testing.T) {
	data := t.TempDir()
	for _, language := range []string{"en", "fr"} {
		var text strings.Builder
		for i := range 60 {
			fmt.Fprintf(&text, "%s sentence number %d of some\n", language, i)
		}
		if err := os.WriteFile(filepath.Join(data, "train.lc.norm.tok."+language), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		data    string
		preset  string
		shape   string
		run     func(*Bench, context.Context) error
		figures int
		units   string
	}{
		{"kernels", "", "", "", (*Bench).Kernels, 2*2 + 2*(1+4*3+1), "GFLOP/s GB/s"},
		{"train", "", "", "", (*Bench).Train, 2 * 6, "sentences/s target tokens/s GFLOP/s allocations/update MB in all"},
		{"train on data", data, "", "", (*Bench).Train, 6, "sentences/s target tokens/s GFLOP/s allocations/update MB in all"},
		{"train a language model", "", "gpt2", "", (*Bench).Train, 5, "tokens/s GFLOP/s allocations/update MB in all"},
		{"decode", "", "", "", (*Bench).Decode, 4, "sentences/s tokens/s"},
		{"decode with a language model", "", "", "tiny", (*Bench).Decode, 7, "tokens/s GB/s allocations/token ms"},
		{"tokenizer", "", "", "", (*Bench).Tokenizer, 4, "MB/s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := small()
			o.Data, o.Preset, o.Shape = c.data, c.preset, c.shape
			b := New(o)
			defer b.Close()
			if err := c.run(b, context.Background()); err != nil {
				t.Fatal(err)
			}
			r := b.Report()
			if len(r.Figures) != c.figures {
				t.Errorf("%d figures, want %d", len(r.Figures), c.figures)
			}
			for _, f := range r.Figures {
				v := f.Value
				if !strings.HasPrefix(f.Unit, "allocations/") && f.Unit != "MB in all" && v.Min <= 0 || v.Min > v.Median || v.Median > v.Max || !(v.Max < 1e12) {
					t.Errorf("%+v", f)
				}
				if s := f.Share; s != nil && s.Min <= 0 { // so short a peak is easily disturbed: shares above 1 say nothing here
					t.Errorf("%s is %.2f to %.2f of the peak", f.Name, s.Min, s.Max)
				}
			}
			var table, text bytes.Buffer
			if err := r.WriteText(&table); err != nil {
				t.Fatal(err)
			}
			if err := json.NewEncoder(&text).Encode(r); err != nil {
				t.Fatal(err)
			}
			for _, unit := range strings.Split(c.units, " ") {
				if !strings.Contains(table.String(), unit) || !strings.Contains(text.String(), unit) {
					t.Errorf("the report lacks %s", unit)
				}
			}
		})
	}
}

func TestAWarmUpdateAllocatesNothing(t *testing.T) {
	b := New(small())
	defer b.Close()
	u, err := newUpdates(b.pools[1], true)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLanguageUpdates(b.pools[1], preset{layers: 1, width: 16, heads: 2, vocabulary: 50, batch: 2, context: 8}, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	lora, err := newLanguageUpdates(b.pools[1], preset{layers: 1, width: 16, heads: 2, vocabulary: 50, batch: 2, context: 8, kvHeads: 1, feedForward: 24, passes: 2}, 4, true)
	if err != nil {
		t.Fatal(err)
	}
	for name, update := range map[string]func(){"translation": u.update, "language model": l.update, "LoRA": lora.update} {
		if n := testing.AllocsPerRun(5, update); n != 0 {
			t.Errorf("%s: %g allocations per update", name, n)
		}
	}
}

func TestSpreadIsMedianAndExtremes(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Spread
	}{
		{[]float64{3, 1, 2}, Spread{2, 1, 3}},
		{[]float64{4, 1, 2, 3}, Spread{2.5, 1, 4}},
		{[]float64{7}, Spread{7, 7, 7}},
		{nil, Spread{}},
	} {
		if got := spread(c.values); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.values, got, c.want)
		}
	}
}

func TestASeriesIsDividedByTheHigherPeak(t *testing.T) {
	var s series
	s.add(2, 10, 40, 100)
	s.add(4, 10, 100, 50)
	f := s.ofPeak(s.figure("kernels", "x", 1, "FLOP/s", 10))
	if *f.Share != (Spread{0.30000000000000004, 0.2, 0.4}) || f.Value != (Spread{30, 20, 40}) {
		t.Errorf("%+v %+v", f, *f.Share)
	}
}

func TestAnEndedContextStopsABench(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	b := New(small())
	defer b.Close()
	for name, run := range map[string]func(*Bench, context.Context) error{
		"kernels": (*Bench).Kernels, "train": (*Bench).Train, "decode": (*Bench).Decode, "tokenizer": (*Bench).Tokenizer,
	} {
		if err := run(b, ctx); err == nil {
			t.Errorf("%s goes on", name)
		}
	}
}

func TestWhatIsMissingIsAnError(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*Options)
		run        func(*Bench, context.Context) error
	}{
		{"data", "train.lc.norm.tok.en", func(o *Options) { o.Data = t.TempDir() }, (*Bench).Train},
		{"a known preset", "char, gpt2, small, smollm2", func(o *Options) { o.Preset = "gpt5" }, (*Bench).Train},
		{"positions", "1024 positions", func(o *Options) { o.Preset, o.Context = "char", 2000 }, (*Bench).Train},
		{"a known shape", "smollm2-135m", func(o *Options) { o.Shape = "gpt5" }, (*Bench).Decode},
		{"updates", "0 updates", func(o *Options) { o.Data, o.Updates = t.TempDir(), 0 }, (*Bench).Train},
		{"sentences", "file of sentences", func(o *Options) { o.Model = savedTranslator(t) }, (*Bench).Decode},
		{"model", "nowhere", func(o *Options) { o.Model, o.Source = "nowhere", "nothing" }, (*Bench).Decode},
		{"text", "nothing.txt", func(o *Options) { o.Text = "nothing.txt" }, (*Bench).Tokenizer},
		{"tokenizer", "nothing.model", func(o *Options) { o.Shipped = "nothing.model" }, (*Bench).Tokenizer},
	} {
		o := small()
		c.change(&o)
		b := New(o)
		if err := c.run(b, context.Background()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("without %s: %v", c.name, err)
		}
		b.Close()
	}
}

// savedTranslator writes a directory that looks like one of a translator.
func savedTranslator(t *testing.T) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"model_type": "marian"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
