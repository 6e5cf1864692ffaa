package hub

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/model"
)

// rewards are classifiers as transformers saved them.
const rewards = "../model/testdata/reward"

func TestClassifierDirectoryReadsBackAsWritten(t *testing.T) {
	for _, name := range []string{"gpt2-reward", "llama-3labels", "gpt2-sum", "llama-sum"} {
		d, err := LoadClassifier(filepath.Join(rewards, name))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "model")
		if err := SaveClassifier(dir, d); err != nil {
			t.Fatal(err)
		}
		if is, err := IsClassifier(dir); !is || err != nil {
			t.Errorf("%s is no classifier: %v", name, err)
		}
		back, err := LoadClassifier(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(back.Model.Labels, d.Model.Labels) || !slices.Equal(back.Model.Store().Values(), d.Model.Store().Values()) {
			t.Errorf("%s is another model when saved and loaded", name)
		}
		first := readAll(t, dir)
		if err := SaveClassifier(dir, back); err != nil {
			t.Fatal(err)
		}
		for file, data := range readAll(t, dir) {
			if !bytes.Equal(first[file], data) {
				t.Errorf("%s: %s is not the same when loaded and saved again", name, file)
			}
		}
	}
}

func TestANewClassifierNamesItsLabels(t *testing.T) {
	decoder, err := LoadDecoder(llama)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.NewClassifierFrom(decoder.Model, []string{"neg", "pos"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "model")
	if err := SaveClassifier(dir, &Classifier{Model: m}); err != nil {
		t.Fatal(err)
	}
	back, err := LoadClassifier(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(back.Model.Labels, []string{"neg", "pos"}) {
		t.Errorf("the labels are %q", back.Model.Labels)
	}
	if _, err := LoadDecoder(dir); err == nil || !strings.Contains(err.Error(), "LlamaForSequenceClassification") {
		t.Errorf("a classifier opens as a language model: %v", err)
	}
	if _, err := LoadClassifier(llama); err == nil || !strings.Contains(err.Error(), "LlamaForCausalLM") {
		t.Errorf("a language model opens as a classifier: %v", err)
	}
	if is, err := IsClassifier(llama); is || err != nil {
		t.Errorf("a language model is a classifier: %v", err)
	}
}

func TestClassifierWithoutItsHeadIsAnError(t *testing.T) {
	d, err := LoadClassifier(filepath.Join(rewards, "gpt2-3labels"))
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]any{}
	for key, raw := range d.config.fields {
		config[key] = raw
	}
	tensors := tensorsOf(d.Model.Params(), F32)
	isHead := func(t Tensor) bool { return t.Name == "score.weight" }
	dir := decoderDir(t, config, slices.DeleteFunc(slices.Clone(tensors), isHead))
	if _, err := LoadClassifier(dir); err == nil || !strings.Contains(err.Error(), `"score.weight" of shape [3 24]`) {
		t.Errorf("without a head: %v", err)
	}
	config["id2label"] = map[string]string{"0": "a"}
	dir = decoderDir(t, config, tensors)
	if _, err := LoadClassifier(dir); err == nil || !strings.Contains(err.Error(), "score.weight") {
		t.Errorf("with a head of another size: %v", err)
	}
}
