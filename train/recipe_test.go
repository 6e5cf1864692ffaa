package train

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestRecipesThatShipAreWhole(t *testing.T) {
	if got := strings.Join(Recipes(), " "); got != "classify convincing convincing-lm dpo grpo imdb imdb-judge imdb-lm imdb-ppo lm lora multi30k multi30k-raw ppo reward sandbox sandbox-stories sft shakespeare shakespeare-char tatoeba translate" {
		t.Errorf("recipes: %s", got)
	}
	for _, name := range Recipes() {
		r, err := LoadRecipe(name)
		if err != nil {
			t.Fatal(err)
		}
		if r.Name != name || r.Description == "" {
			t.Errorf("%s: is called %q, described as %q", name, r.Name, r.Description)
		}
		switch name {
		case "translate":
			r.Data.Train = []string{"a.en", "a.fr"}
		case "lm", "shakespeare", "shakespeare-char", "classify", "reward":
			r.Data.Train = []string{"a.txt"}
		case "lora", "dpo", "sft":
			r.Data.Train, r.Model.From = []string{"a.txt"}, "model"
		case "imdb-ppo":
			r.Model.From, r.Reward.Model = "model", "classifier"
		case "ppo", "grpo":
			r.Data.Train, r.Model.From, r.Reward.Kind = []string{"a.txt"}, "model", "answer"
		}
		if err := r.Resolve(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResolvedRecipeReadsBackAsItWas(t *testing.T) {
	for name, set := range map[string][]string{
		"multi30k": nil, "lm": {"data.train=a.txt"},
		"shakespeare-char": {"data.train=a.txt", "data.validation=b.txt", "data.held_out_share=0", "validation.temperature=0", "validation.sample_tokens=0", "data.separator=|"},
	} {
		r, err := LoadRecipe(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range set {
			if err := r.Set(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Resolve(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "recipe.toml")
		if err := os.WriteFile(path, r.TOML(), 0o666); err != nil {
			t.Fatal(err)
		}
		back, err := LoadRecipe(path)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r, back) {
			t.Errorf("wrote %+v\nread  %+v", r, back)
		}
	}
}

func TestATranslationsRecipeHasNoKeysOfLanguageModels(t *testing.T) {
	r, err := LoadRecipe("multi30k")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"depth", "architecture", "separator", "held_out_share", "sample_tokens", "kind = \"\""} {
		if strings.Contains(string(r.TOML()), key) {
			t.Errorf("%q is in it", key)
		}
	}
}

func TestSizeSetsTheShapeAndFieldsOverrideIt(t *testing.T) {
	r, err := ParseRecipe("r.toml", "[data]\ntrain=['a','b']\nheld_out=10\n[model]\nsize='small'\nwidth=64\ndecoder_layers=2\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Resolve(); err != nil {
		t.Fatal(err)
	}
	got := [5]int{r.Model.Width, r.Model.Layers, r.Model.DecoderLayers, r.Model.Heads, r.Model.FeedForward}
	if want := [5]int{64, 4, 2, 8, 1024}; got != want {
		t.Errorf("width, layers, decoder layers, heads, feed-forward: %v, want %v", got, want)
	}
}

func TestOverrideSetsEveryKindOfField(t *testing.T) {
	r := DefaultRecipe()
	for _, s := range []string{
		"train.lr=0.003", "train.updates = 12", "train.seed=9223372036854775807", "model.tie_output=false",
		"data.source=de", `data.train=a b.en, c\d.de`, `data.test=["x, y", "z"]`, "name=mine", "model.dropout=0",
	} {
		if err := r.Set(s); err != nil {
			t.Error(err)
		}
	}
	if r.Train.LR != 0.003 || r.Train.Updates != 12 || r.Train.Seed != 1<<63-1 || r.Model.TieOutput || r.Data.Source != "de" || r.Name != "mine" || r.Model.Dropout != 0 {
		t.Errorf("%+v", r)
	}
	if want := []string{"a b.en", `c\d.de`}; !reflect.DeepEqual(r.Data.Train, want) {
		t.Errorf("data.train: %q", r.Data.Train)
	}
	if want := []string{"x, y", "z"}; !reflect.DeepEqual(r.Data.Test, want) {
		t.Errorf("data.test: %q", r.Data.Test)
	}
}

func TestWrongOverridesSayWhatWouldBeRight(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"train.lrr=1", `there is no key "train.lrr" (did you mean "train.lr"?)`},
		{"tokeniser.vocab=1", `did you mean "tokenizer.vocab"?`},
		{"lr=1", `did you mean "train.lr"?`},
		{"train=1", `there is no key "train"`},
		{"train.lr.x=1", `there is no key "train.lr.x"`},
		{"qqqqqqqqqqqqqqqqqqqqqqqqqqqq=1", `there is no key "qqqqqqqqqqqqqqqqqqqqqqqqqqqq"`},
		{"train.updates=many", `train.updates must be a whole number, not "many"`},
		{"train.updates=1.5", "train.updates must be a whole number"},
		{"model.tie_output=perhaps", "model.tie_output must be true or false"},
		{"train.lr=", "train.lr must be a number"},
		{"train.lr", "must be written section.key=value"},
	} {
		r := DefaultRecipe()
		if err := r.Set(c.set); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.set, err, c.want)
		}
	}
}

func TestWrongLanguageRecipesNameTheKey(t *testing.T) {
	const text = "[objective]\nkind='language_model'\n[tokenizer]\nvocab=300\n[data]\ntrain=['a.txt']\n"
	const whole = text + "held_out_share=0.1\n[model]\ndepth=2\n"
	for _, c := range []struct{ text, want string }{
		{whole + "attention_dropout=1", "model.attention_dropout is 1, must be at least 0 and below 1"},
		{whole + "activation_dropout=0.1", "model.activation_dropout"},
		{whole + "head_norm=1.6", "model.head_norm = 1.6 is what norms of queries and keys begin with"},
		{whole + "architecture='qwen3'\nhead_norm=-1", "model.head_norm is -1"},
		{whole + "[optimizer]\nkind='adamw'\nadam_rate=0.5", `needs optimizer.kind = "muon"`},
		{whole + "architecture='bert'", "it must be one of llama, qwen3, gpt2"},
		{"[objective]\nkind='language_model'\n[tokenizer]\nkind='words'", "tokenizer.kind"},
		{whole + "[train]\nupdates=-1", "train.updates is -1"},
		{whole + "[validation]\nmetric='bleu'", `validation.metric is "bleu"`},
		{text + "[model]\ndepth=1", "held_out_share is 0"},
		{text + "held_out_share=1.0\n[model]\ndepth=1", "data.held_out_share is 1"},
		{text + "held_out_share=0.1", "model.width is 0"},
		{text + "format='pair'", `data.format is "pair"`},
		{text + "test=['b.txt']\n[model]\ndepth=1", "data.test"},
		{"[objective]\nkind='language_model'", "tokenizer.vocab is 0"},
		{"[objective]\nkind='language_model'\nlabel_smoothing=0.1\n[tokenizer]\nkind='characters'\n[model]\ndepth=1\n[data]\ntrain=['a']\nheld_out_share=0.1", "objective.label_smoothing"},
		{"[objective]\nkind='language_model'\n[tokenizer]\nkind='characters'\n[model]\ndepth=1", "names no files"},
		{"[objective]\nkind='language_modle'", `did you mean "language_model"?`},
	} {
		r, err := ParseRecipe("r.toml", c.text)
		if err == nil {
			err = r.Resolve()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}

func TestDepthSetsAllSizesAndFieldsOverrideIt(t *testing.T) {
	for _, c := range []struct {
		set  string
		want [7]int
	}{
		{"model.depth=1", [7]int{64, 1, 1, 192, 256, 2048, 2048}},
		{"model.depth=4", [7]int{256, 4, 4, 704, 256, 4096, 4096}},
		{"model.depth=12", [7]int{768, 12, 12, 2048, 1024, 12288, 12288}},
		{"model.width=128", [7]int{128, 4, 4, 384, 256, 4096, 4096}},
		{"tokenizer.vocab=500", [7]int{256, 4, 4, 704, 256, 500, 4096}},
	} {
		r, err := LoadRecipe("lm")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"data.train=a.txt", c.set} {
			if err := r.Set(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Resolve(); err != nil {
			t.Fatal(err)
		}
		m := &r.Model
		if got := [7]int{m.Width, m.Layers, m.Heads, m.FeedForward, m.Context, r.Tokenizer.Vocab, r.Train.BatchTokens}; got != c.want {
			t.Errorf("%s: %v, want %v", c.set, got, c.want)
		}
		if m.KVHeads != m.Heads || r.Train.LR <= 0 || r.Train.Updates != 0 {
			t.Errorf("%s: %+v %+v", c.set, *m, r.Train)
		}
	}
}

func TestTheLengthOfATrainingFollowsFromParametersAndText(t *testing.T) {
	for _, c := range []struct {
		parameters             int
		tokens                 int64
		updates, warmup, decay int
	}{
		{1 << 20, 1 << 30, 5120, 102, 1024}, // 20 tokens a parameter
		{1 << 20, 1 << 19, 1024, 20, 204},   // 8 times the text
		{1 << 20, 100, 20, 0, 4},
		{1 << 24, 1 << 40, 81920, 200, 16384},
	} {
		r, err := LoadRecipe("lm")
		if err != nil {
			t.Fatal(err)
		}
		r.Data.Train = []string{"a.txt"}
		if err := r.Resolve(); err != nil {
			t.Fatal(err)
		}
		if err := r.followData(c.parameters, c.tokens, 10); err != nil {
			t.Fatal(err)
		}
		if got := [3]int{r.Train.Updates, r.Schedule.Warmup, r.Schedule.Decay}; got != [3]int{c.updates, c.warmup, c.decay} {
			t.Errorf("%d parameters, %d tokens: %v", c.parameters, c.tokens, got)
		}
	}
}

func TestWrongRecipesNameTheKey(t *testing.T) {
	const data = "[data]\ntrain=['a','b']\nheld_out=10\n"
	for _, c := range []struct{ text, want string }{
		{data + "[train]\nupdate=5", `there is no key "train.update" (did you mean "train.updates"?)`},
		{data + "[trian]\nlr=5", `did you mean "train"?`},
		{data + "[train]\nlr='fast'", "r.toml"},
		{data + "[train\nlr=1", "r.toml:"},
		{"", "data.train names 0 files"},
		{"[data]\ntrain=['a']", `data.train names 1 files, but data.format = "pair" needs two files`},
		{"[data]\nformat='tsv'\ntrain=['a','b']", "needs one file"},
		{"[data]\nformat='csv'\ntrain=['a','b']", `data.format is "csv"`},
		{"[data]\nformat='sandbox'\ntrain=['a','b']", "contradict"},
		{"[data]\ntrain=['a','b']", "data.validation is empty and data.held_out is 0"},
		{data + "[train]\ncheckpointing=true", "train.checkpointing = true is for language models"},
		{data + "[optimizer]\nkind='adamW'", `did you mean "adamw"?`},
		{data + "[optimizer]\nbeta2=1.0", "optimizer.beta2 is 1, must be at least 0 and below 1"},
		{data + "[model]\nsize='huge'", "model.size"},
		{data + "[model]\nheads=3", "model.heads = 3 must divide model.width = 128"},
		{data + "[model]\nactivation='rellu'", "model.activation"},
		{data + "[model]\nfrom='m'\n[tokenizer]\nfile='t'", "model.from and tokenizer.file contradict"},
		{data + "[model]\ncontext=5000", "model.context = 5000 exceeds train.batch_tokens = 4096"},
		{data + "[schedule]\nkind='linear'\nwarmup=9000", "schedule.warmup = 9000 leaves nothing of train.updates = 8000"},
		{data + "[schedule]\nkind='wsd'", "needs schedule.decay"},
		{data + "[schedule]\nkind='wsd'\nwarmup=100\ndecay=7950", "exceed train.updates"},
		{data + "[schedule]\ndecay=5", "has a meaning only with"},
		{data + "[validation]\nbeam=0", `validation.metric = "bleu" contradicts validation.beam = 0`},
		{data + "[train]\nlr=nan", "train.lr is NaN"},
		{data + "[train]\nseed=-1", "train.seed is -1, must be from 0"},
		{data + "[train]\nupdates=0", "train.updates is 0, must be from 1"},
		{data + "[tokenizer]\nvocab=100", "tokenizer.vocab is 100, must be from 259"},
		{data + "[decode]\nmax_ratio=0\nmax_extra=0", "allows no translation"},
	} {
		r, err := ParseRecipe("r.toml", c.text)
		if err == nil {
			err = r.Resolve()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n  %v\n  want %q", c.text, err, c.want)
		}
	}
	if _, err := LoadRecipe("multi30"); err == nil || !strings.Contains(err.Error(), `did you mean "multi30k"?`) {
		t.Errorf("unknown name: %v", err)
	}
}

func FuzzParseRecipe(f *testing.F) {
	r := DefaultRecipe()
	f.Add(string(r.TOML()))
	f.Add("[train]\nlr = 1e400\n")
	f.Add("data = 3")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRecipe("r.toml", text)
		if err == nil {
			r.Resolve() // an error is as good as none, but it must return
		}
	})
}

// A field may be 0 where it is usually something else: policy.kl = 0 of a resumed run must not become the default.
func TestARecipeIsReadAsItWasWrittenWhereFieldsAreZero(t *testing.T) {
	for _, kind := range []string{translationKind, languageModelKind, classificationKind, dialogueKind, rewardKind, preferenceKind, ppoKind, grpoKind} {
		for _, key := range Keys() {
			if key == "objective.kind" {
				continue
			}
			r := defaultsFor(kind)
			field, _ := fieldByKey(reflect.ValueOf(&r).Elem(), key)
			field.SetZero()
			read, err := ParseRecipe("r.toml", string(r.TOML()))
			if err != nil {
				t.Fatalf("%s, %s: %v", kind, key, err)
			}
			if again := read.TOML(); !bytes.Equal(again, r.TOML()) {
				t.Errorf("%s with %s = 0 is read as\n%s", kind, key, again)
			}
			if got, _ := fieldByKey(reflect.ValueOf(&read).Elem(), key); !got.IsZero() && (got.Kind() != reflect.Slice || got.Len() > 0) {
				t.Errorf("%s: %s was 0 and is read as %v", kind, key, got)
			}
		}
	}
}
