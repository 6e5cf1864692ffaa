package hub

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// newClassifierAdapter makes an adapter of random numbers, head included, for the layers of a base.
func newClassifierAdapter(t testing.TB, base string, labels []string, p model.Pooling) (*Adapter, *model.Classifier) {
	t.Helper()
	c, err := LoadClassifierOn(base, labels, p)
	if err != nil {
		t.Fatal(err)
	}
	pad := int32(7)
	c.Model.Config.PadID = &pad
	a := &Adapter{Base: base, Config: model.LoRAConfig{Rank: 2, Alpha: 4}}
	if a.LoRA, err = c.Model.NewLoRA(a.Config); err != nil {
		t.Fatal(err)
	}
	a.LoRA.Params.Allocate()
	for i := range a.LoRA.Params.Values() {
		a.LoRA.Params.Values()[i] = float32(i%11-5) / 16
	}
	return a, c.Model
}

func TestAClassifiersAdapterReadsBackAsWritten(t *testing.T) {
	base, err := filepath.Abs(llama)
	if err != nil {
		t.Fatal(err)
	}
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, c := range []struct {
		labels []string
		p      model.Pooling
	}{{[]string{"neg", "pos", "none"}, model.LastToken}, {[]string{"reward"}, model.SumOfTokens}, {[]string{"neg", "pos"}, model.SumOfTokens}} {
		a, m := newClassifierAdapter(t, base, c.labels, c.p)
		dir, merged := filepath.Join(t.TempDir(), "adapter"), filepath.Join(t.TempDir(), "merged")
		if err := SaveClassifierAdapter(dir, a, m); err != nil {
			t.Fatal(err)
		}
		a.LoRA.Merge(pool, 1)
		said, err := Merge(pool, "", []WeightedAdapter{{dir, 1}}, merged, F32)
		if err != nil || said.Modules != len(a.LoRA.Modules) || said.Parameters != m.Store().Count() {
			t.Errorf("merging says %+v, %v", said, err)
		}
		for _, d := range []string{dir, merged} {
			if is, err := IsClassifier(d); !is || err != nil {
				t.Errorf("%s is no classifier: %v", d, err)
			}
			back, err := LoadClassifier(d)
			if err != nil {
				t.Fatal(err)
			}
			if x := back.Model; !slices.Equal(x.Labels, c.labels) || x.Pooling != c.p || *x.Config.PadID != 7 || !slices.Equal(x.Store().Values(), m.Store().Values()) {
				t.Errorf("%s: labels %q, pooling %d, padding %d, or other numbers", d, x.Labels, x.Pooling, *x.Config.PadID)
			}
		}
	}
}

// TestWhatIsWrongWithAClassifiersAdapterIsNamed also has one without the names of its labels, as PEFT saves it.
func TestWhatIsWrongWithAClassifiersAdapterIsNamed(t *testing.T) {
	base, err := filepath.Abs(llama)
	if err != nil {
		t.Fatal(err)
	}
	a, m := newClassifierAdapter(t, base, []string{"neg", "pos"}, model.LastToken)
	tensors := tensorsOf(a.LoRA.Params.Params(), F32)
	save := func(change func(c *Config), list []Tensor, metadata map[string]string) string {
		dir := filepath.Join(t.TempDir(), "adapter")
		if err := SaveClassifierAdapter(dir, a, m); err != nil {
			t.Fatal(err)
		}
		config, err := ReadConfig(filepath.Join(dir, adapterConfigFile))
		if err != nil {
			t.Fatal(err)
		}
		change(config)
		if err := config.Save(filepath.Join(dir, adapterConfigFile)); err != nil {
			t.Fatal(err)
		}
		if err := SaveSafetensors(filepath.Join(dir, adapterWeightsFile), list, metadata); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	same := func(*Config) {}
	plain := save(same, tensors, nil)
	c, err := LoadClassifier(plain)
	if err != nil || !slices.Equal(c.Model.Labels, []string{"LABEL_0", "LABEL_1"}) {
		t.Fatalf("without metadata: %v", err)
	}
	headless := slices.DeleteFunc(slices.Clone(tensors), func(x Tensor) bool { return strings.Contains(x.Name, "score") })
	language, err := LoadDecoder(base)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LoadAdapter(plain, language.Model); err == nil || !strings.Contains(err.Error(), "parley eval reward") {
		t.Errorf("as the adapter of a language model: %v", err)
	}
	for _, x := range []struct{ dir, want string }{
		{save(same, headless, nil), `there is no tensor "base_model.model.score.weight" of shape [labels, width]`},
		{save(same, tensors, map[string]string{classifierKey: "no"}), `the metadata's "classifier"`},
		{save(same, tensors, map[string]string{classifierKey: `{"pad_token_id": 9999}`}), "a padding token of id 9999"},
		{save(func(c *Config) { c.Set("task_type", "CAUSAL_LM") }, tensors, nil), "this adapter is for a language model"},
		{save(func(c *Config) { c.Set("task_type", "TOKEN_CLS") }, tensors, nil), `not "TOKEN_CLS": with 2 labels that is for labels of tokens`},
		{save(func(c *Config) { c.Set("base_model_name_or_path", filepath.Join(rewards, "llama-3labels")) }, tensors, nil), "the adapter's head is of another kind, for 2 labels"},
	} {
		if _, err := LoadClassifier(x.dir); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v; want %q", err, x.want)
		}
	}
	pool := kernel.NewPool(1)
	defer pool.Close()
	for _, x := range []struct {
		list []WeightedAdapter
		want string
	}{{[]WeightedAdapter{{plain, 0.5}}, "its weight can only be 1"}, {[]WeightedAdapter{{plain, 1}, {plain, 1}}, "cannot be merged with others"}} {
		out := filepath.Join(t.TempDir(), "out")
		if _, err := Merge(pool, "", x.list, out, ""); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v; want %q", err, x.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Error("something was written all the same")
		}
	}
}
