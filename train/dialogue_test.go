package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/tokenizer"
)

// writeToyDialogues writes dialogues about what comes after a number, of one or two questions.
func writeToyDialogues(t testing.TB, path string) {
	t.Helper()
	words := strings.Fields("one two three four five six seven eight nine ten")
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	question := func(i int) []chat.Message {
		return []chat.Message{{Role: chat.User, Content: words[i%10]}, {Role: chat.Assistant, Content: words[(i+1)%10]}}
	}
	for i := range 100 {
		messages := question(i)
		switch i / 10 % 3 {
		case 1:
			messages = append(messages, question(i/10+i*3)...)
		case 2:
			messages = append([]chat.Message{{Role: chat.System, Content: "count"}}, messages...)
		}
		if err := e.Encode(map[string]any{"messages": messages}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// toyTalks fine-tunes a small model with random weights, which has no chat template, on these dialogues.
func toyTalks(t testing.TB, dir string, set ...string) Recipe {
	t.Helper()
	base, talks := filepath.Join(dir, "base"), filepath.Join(dir, "talks.jsonl")
	if !exists(base) {
		writeToyModel(t, base)
		if err := os.Remove(filepath.Join(base, "chat_template.jinja")); err != nil {
			t.Fatal(err)
		}
	}
	if !exists(talks) {
		writeToyDialogues(t, talks)
	}
	r := DefaultDialogueRecipe()
	for _, s := range append([]string{
		"name=talks", "data.train=talks.jsonl", "data.dir=" + dir, "data.held_out_share=0.15", "model.from=" + base,
		"train.lr=0.005", "train.epochs=25", "train.batch_tokens=512", "validation.every=50", "validation.samples=3", "validation.sample_tokens=20",
	}, set...) {
		if err := r.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestTrainingLearnsToAnswer(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	var said notes
	result, err := Start(t.Context(), toyTalks(t, dir, "data.validation=talks.jsonl"), Options{Out: out, Threads: 2, Progress: &said})
	if err != nil {
		t.Fatal(err)
	}
	if result.Validation.Loss > 0.05 || result.Kind != dialogueKind {
		t.Errorf("result: %+v", result)
	}
	if !slices.ContainsFunc(said.lines, func(l string) bool { return strings.Contains(l, "2 special tokens") }) {
		t.Errorf("notes: %q", said.lines)
	}
	h, err := ReadHistory(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range h.Validations[len(h.Validations)-1].Samples {
		if s.Hypothesis != s.Reference {
			t.Errorf("to %q it answers %q, want %q", s.Source, s.Hypothesis, s.Reference)
		}
	}
	mustTalk(t, result.Model)
	card, err := os.ReadFile(filepath.Join(result.Model, "README.md"))
	if err != nil || !strings.Contains(string(card), "conversational") {
		t.Errorf("model card: %s, %v", card, err)
	}
}

// mustTalk checks that a model directory says how to talk with the model: template, end of a turn, tokens.
func mustTalk(t *testing.T, dir string) {
	t.Helper()
	tok, err := tokenizer.Load(filepath.Join(dir, vocabularyFile))
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := hub.LoadChatTemplate(dir)
	if err != nil || tmpl == nil || tmpl.Source() != chat.ChatML().Source() {
		t.Fatalf("chat template %v, %v", tmpl, err)
	}
	d, err := hub.LoadDecoder(dir)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := tok.ID("<|im_end|>")
	if len(d.Generation.EOSIDs) == 0 || d.Generation.EOSIDs[0] != end || d.Model.Config.VocabSize != tok.Size() {
		t.Errorf("ends %v of %d tokens, want %d of %d", d.Generation.EOSIDs, d.Model.Config.VocabSize, end, tok.Size())
	}
	names, err := hub.SpecialTokens(dir)
	if err != nil || names["eos_token"] != "<|im_end|>" {
		t.Errorf("special tokens %v, %v", names, err)
	}
}

// The gradient comes from what the assistant says alone: who asks what makes no difference to which tokens are counted.
func TestOnlyTheAssistantsTokensAreLearned(t *testing.T) {
	dir := t.TempDir()
	r := newRun(t, filepath.Join(dir, "run"), toyTalks(t, dir))
	d := r.task.(*dialogue)
	var total int
	for i := range d.train.len() {
		ids, said := d.train.at(i)
		var text string
		for n, id := range ids {
			if said[n] {
				text += d.tok.Decode([]int32{id}, false)
			}
		}
		want := ""
		for _, m := range d.train.read[i].Messages {
			if m.Role == chat.Assistant {
				want += m.Content + "<|im_end|>\n"
			}
		}
		if text != strings.ReplaceAll(want, "\n", d.tok.Decode(d.tok.Encode("\n"), false)) {
			t.Fatalf("learned of %s: %q, want %q", d.train.read[i].Where(), text, want)
		}
		total += int(d.train.learned[i])
	}
	counted := 0
	for b := range d.batches() {
		_, tokens, _ := d.size(b)
		counted += tokens
	}
	if counted != total {
		t.Errorf("batches count %d tokens, there are %d", counted, total)
	}
}

// talksBitsRecipe switches on everything that has a state.
func talksBitsRecipe(t testing.TB, dir string) Recipe {
	return toyTalks(t, dir, "model.dropout=0.1", "train.ema=0.95", "train.micro_tokens=150", "train.epochs=0", "train.updates=90",
		"train.checkpoint_every=7", "validation.every=31", "train.average=2", "validation.temperature=0.7")
}

func TestAnInterruptedFineTuningGoesOnToTheSameBits(t *testing.T) {
	dir := t.TempDir()
	interruptAndGoOn(t, dir, talksBitsRecipe(t, dir))
}

func TestFineTuningAllocatesNothingOnceWarm(t *testing.T) {
	dir := t.TempDir()
	r := newRun(t, filepath.Join(dir, "run"), toyTalks(t, dir, "train.updates=100000", "train.epochs=0", "validation.every=100000", "train.checkpoint_every=100000"))
	stepsAllocateNothing(t, r)
}

func TestDialoguesThatAreLeftOutAreCountedAndNamed(t *testing.T) {
	dir := t.TempDir()
	recipe := toyTalks(t, dir, "train.epochs=1")
	bad := filepath.Join(dir, "bad.jsonl")
	lines := []string{
		`{"messages": [{"role": "user", "content": "a"}]}`,
		`{"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]}`,
		fmt.Sprintf(`{"prompt": "a", "completion": %q}`, strings.Repeat("many words ", 20)),
		`{"prompt": "a", "completion": "  "}`,
	}
	if err := os.WriteFile(bad, []byte(strings.Join(lines, "\n")), 0o666); err != nil {
		t.Fatal(err)
	}
	recipe.Data.Train = append(recipe.Data.Train, bad)
	var said notes
	out := filepath.Join(dir, "run")
	if _, err := Start(t.Context(), recipe, Options{Out: out, Progress: &said}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, leftOutFile))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"bad.jsonl:1: there is no message of the assistant", "bad.jsonl:2: message 2 is of the user", "bad.jsonl:3: ", "bad.jsonl:4: message 2, of the assistant, is empty"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("line %d of the dialogues: %s, want %q", i+1, text, want)
		}
	}
	all := strings.Join(said.lines, "\n")
	for _, want := range []string{"4 of 104 dialogues are left out", "3 have turns that cannot be learned from", "1 are longer than the context", "bad.jsonl:3: 2"} {
		if !strings.Contains(all, want) {
			t.Errorf("notes %s, want %q", all, want)
		}
	}

	recipe.Data.Train = []string{bad}
	if _, err := Start(t.Context(), recipe, Options{Out: filepath.Join(dir, "none")}); err == nil || !strings.Contains(err.Error(), "none of 4 dialogues can be learned from: ") {
		t.Errorf("of nothing but such dialogues: %v", err)
	}
	heldOut := false
	for i := range 20 { // one that can be learned from, which may be the one that is held out
		good := fmt.Sprintf(`{"prompt": "a", "completion": "b %d"}`, i)
		if err := os.WriteFile(bad, []byte(strings.Join(append(lines, good), "\n")), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := Start(t.Context(), recipe, Options{Out: filepath.Join(dir, "none")})
		if err == nil {
			t.Fatal("one dialogue is both learned from and held out")
		}
		heldOut = heldOut || strings.Contains(err.Error(), "of 5 dialogues only 1 can be learned from, and data.held_out_share = ")
	}
	if !heldOut {
		t.Error("nobody is told that what could be learned from is held out")
	}
	if exists(filepath.Join(dir, "none")) {
		t.Error("the directory of a run that did not begin stays")
	}
}

func TestATemplateThatFailsSaysWhere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mine.jinja")
	for source, want := range map[string]string{
		"a\n{{ 1 + }}": "mine.jinja:2: unexpected",
		"{% for m in messages %}\n{{ m.content + 1 }}{% endfor %}":                                                                 "mine.jinja:2: can only concatenate str",
		"{% for m in messages %}{{ m.content }}{% endfor %}":                                                                       "no special token",
		"{% for m in messages %}{{ m.content }}<|endoftext|>{% endfor %}{% if messages[0].content != 'a' %}\n{{ x.y }}{% endif %}": "none of 100 dialogues can be learned from: ",
	} {
		if err := os.WriteFile(path, []byte(source), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := Start(t.Context(), toyTalks(t, dir, "data.chat_template=mine.jinja"), Options{Out: filepath.Join(dir, "run")})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", source, err, want)
		}
	}
}

func TestALoRALearnsToAnswerWithTheTemplateOfItsModel(t *testing.T) {
	dir := t.TempDir()
	lora := []string{"lora.rank=8", "lora.alpha=16", "lora.targets=all-linear", "lora.base=bf16", "train.epochs=3"}
	recipe := toyTalks(t, dir, lora...)
	if _, err := Start(t.Context(), recipe, Options{Out: filepath.Join(dir, "no")}); err == nil || !strings.Contains(err.Error(), "embeddings an adapter does not hold") {
		t.Fatalf("an adapter of a model without the tokens: %v", err)
	}
	first, err := Start(t.Context(), toyTalks(t, dir, "train.epochs=2"), Options{Out: filepath.Join(dir, "first"), Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	second, err := Start(t.Context(), toyTalks(t, dir, append(lora, "model.from="+first.Dir, "train.lr=0.01")...), Options{Out: filepath.Join(dir, "second"), Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if !hub.IsAdapter(second.Model) || second.Validation.Loss >= first.Validation.Loss {
		t.Errorf("loss %g, with an adapter %g", first.Validation.Loss, second.Validation.Loss)
	}
	if tmpl, err := hub.LoadChatTemplate(second.Model); err != nil || tmpl == nil {
		t.Errorf("the adapter's template: %v, %v", tmpl, err)
	}
}
