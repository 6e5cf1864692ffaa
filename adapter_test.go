package parley_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// TestAnAdapterWithWholeModulesWritesAsTheMergedModel is of the storyteller, whose embedding and output layer are one and part.
func TestAnAdapterWithWholeModulesWritesAsTheMergedModel(t *testing.T) {
	base, err := filepath.Abs("testdata/storyteller")
	if err != nil {
		t.Fatal(err)
	}
	d, err := hub.LoadDecoder(base)
	if err != nil {
		t.Fatal(err)
	}
	a := &hub.Adapter{Base: base, Config: model.LoRAConfig{Rank: 2, Alpha: 4, Save: []string{"lm_head"}}}
	if a.LoRA, err = d.Model.NewLoRA(a.Config); err != nil {
		t.Fatal(err)
	}
	a.LoRA.Params.Allocate()
	a.LoRA.Params.Initialize(1)
	for _, p := range a.LoRA.Params.Params() {
		for i := range p.Data {
			p.Data[i] += float32(i%13-6) / 100
		}
	}
	adapter, merged := filepath.Join(t.TempDir(), "adapter"), filepath.Join(t.TempDir(), "merged")
	if err := hub.SaveAdapter(adapter, a, d.Model); err != nil {
		t.Fatal(err)
	}
	pool := kernel.NewPool(2)
	defer pool.Close()
	if _, err := hub.Merge(pool, "", []hub.WeightedAdapter{{Dir: adapter, Weight: 1}}, merged, ""); err != nil {
		t.Fatal(err)
	}
	o := parley.GenerateOptions{MaxTokens: 20}
	plain := mustGenerate(t, openModel(t, base), "Once upon a time", o)[0].text
	got := mustGenerate(t, openModel(t, adapter), "Once upon a time", o)[0].text
	if want := mustGenerate(t, openModel(t, merged), "Once upon a time", o)[0].text; got != want || got == plain {
		t.Errorf("with the adapter %q, merged %q, without it %q", got, want, plain)
	}
	if half := mustGenerate(t, openModel(t, adapter, parley.WithPrecision(parley.BFloat16)), "Once upon a time", o)[0].text; half == "" || half == plain {
		t.Errorf("on a base in bfloat16 %q", half)
	}
	for _, c := range []struct {
		want    string
		options []parley.Option
	}{
		{"its weight can only be 1", []parley.Option{parley.WithAdapter(adapter, 0.5)}},
		{"the first of the adapters and the only one such", []parley.Option{parley.WithAdapter(adapter, 1), parley.WithAdapter(adapter, 1)}},
	} {
		if _, err := parley.Open(base, c.options...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
