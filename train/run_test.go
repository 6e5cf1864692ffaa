package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parley-lm/parley/hub"
)

// writeToyPairs writes a TSV file of a language of twelve words and its translation, word by word.
func writeToyPairs(t testing.TB, path string, n int) {
	t.Helper()
	english := strings.Fields("one two red blue cat dog sees likes big small here there")
	french := strings.Fields("un deux rouge bleu chat chien voit aime grand petit ici là")
	rng := rand.New(rand.NewPCG(7, 7))
	var b bytes.Buffer
	for range n {
		var source, target []string
		for range 2 + rng.IntN(4) {
			w := rng.IntN(len(english))
			source, target = append(source, english[w]), append(target, french[w])
		}
		fmt.Fprintf(&b, "%s\t%s\n", strings.Join(source, " "), strings.Join(target, " "))
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// toyRecipe learns that language in a second or two.
func toyRecipe(t testing.TB, dir string, set ...string) Recipe {
	t.Helper()
	writeToyPairs(t, filepath.Join(dir, "toy.tsv"), 2000)
	r := DefaultRecipe()
	for _, s := range append([]string{
		"name=toy", "data.format=tsv", "data.train=toy.tsv", "data.held_out=20", "data.dir=" + dir,
		"tokenizer.vocab=310", "model.width=32", "model.layers=1", "model.heads=2", "model.feed_forward=64", "model.context=24",
		"model.dropout=0", "objective.label_smoothing=0.05", "optimizer.eps=1e-8", "schedule.kind=linear", "schedule.warmup=20", "train.lr=0.01", "train.updates=400",
		"train.batch_tokens=300", "train.average=3", "validation.every=50", "validation.samples=2", "decode.beam=3",
	}, set...) {
		if err := r.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestTrainingLearnsATranslationExactly(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	result, err := Start(t.Context(), toyRecipe(t, dir), Options{Out: out, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Tests) != 1 || result.Tests[0].Exact < 90 || result.Tests[0].BLEU < 90 {
		t.Errorf("the held-out sentences: %+v", result.Tests)
	}
	if result.Step != 400 || result.Stopped != "updates" || result.Validation.Loss > 0.5 {
		t.Errorf("result: %+v", result)
	}
	h, err := ReadHistory(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Steps) != 41 || len(h.Validations) != 10 || len(h.Tests) != 1 {
		t.Errorf("metrics: %d steps, %d validations, %d tests", len(h.Steps), len(h.Validations), len(h.Tests))
	}
	e, err := hub.LoadEncDec(filepath.Join(out, modelDir))
	if err != nil {
		t.Fatal(err)
	}
	if e.Generation.NumBeams != 3 {
		t.Errorf("the model is saved with %d beams, the recipe says 3", e.Generation.NumBeams)
	}
	pad := e.Model.EmbeddingOf(e.Model.Config.PadID, true)
	for _, x := range pad {
		if x != 0 {
			t.Fatalf("the row of <pad> has moved: %v", pad)
		}
	}
	for file, wants := range map[string][]string{
		"report.html":     {"<svg", "training loss", "validation BLEU", "Sample translations", "average of the last 3"},
		"model/README.md": {"# toy: en → fr", "held-out (20 sentences)", "width = 32", "BLEU"},
		"recipe.toml":     {"layers = 1", "decoder_layers = 1"},
	} {
		text, err := os.ReadFile(filepath.Join(out, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %q", file, want)
			}
		}
		if strings.Contains(string(text), "http-equiv") {
			t.Errorf("%s of a finished run renews itself", file)
		}
	}
}

func TestStepsAllocateNothingOnceWarm(t *testing.T) {
	for name, recipe := range bitsRecipes {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			stepsAllocateNothing(t, newRun(t, filepath.Join(dir, "run"), recipe(t, dir)))
		})
	}
}

func stepsAllocateNothing(t *testing.T, r *run) {
	r.recipe.Train.LogEvery, r.recipe.Train.MicroTokens = 1, 120
	steps := func(n int) {
		for range n {
			if err := r.step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	steps(120)
	least := uint64(math.MaxUint64)
	for range 3 { // the runtime itself makes some now and then, and there may be a size of batch that had not come up yet
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		steps(50)
		runtime.ReadMemStats(&after)
		if least = min(least, after.Mallocs-before.Mallocs); least <= 12 {
			return
		}
	}
	t.Errorf("50 steps made %d allocations", least)
}

// newRun builds a run up to its first step, and keeps nobody else out of its directory.
func newRun(t *testing.T, out string, recipe Recipe) *run {
	t.Helper()
	if err := recipe.Resolve(); err != nil {
		t.Fatal(err)
	}
	free, err := claim(out)
	if err != nil {
		t.Fatal(err)
	}
	free() // what comes after it may go on with the run
	if err := os.WriteFile(filepath.Join(out, recipeFile), recipe.TOML(), 0o666); err != nil {
		t.Fatal(err)
	}
	r, err := build(t.Context(), out, recipe, Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	if err := r.place(""); err != nil {
		t.Fatal(err)
	}
	r.clock = time.Now()
	return r
}

// bitsRecipe switches on everything that has a state.
func bitsRecipe(t testing.TB, dir string) Recipe {
	return toyRecipe(t, dir, "model.dropout=0.1", "tokenizer.dropout=0.1", "train.ema=0.95", "train.micro_tokens=170",
		"train.updates=90", "train.checkpoint_every=7", "validation.every=0", "optimizer.clip=1", "optimizer.kind=adamw", "optimizer.weight_decay=0.01")
}

// mustEqualRuns compares models and optimizers of two finished runs, bit by bit.
func mustEqualRuns(t *testing.T, a, b string) {
	t.Helper()
	latest, err := latestCheckpoint(a)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, _ := filepath.Rel(a, latest)
	files := []string{
		filepath.Join(checkpoint, weightsFile), filepath.Join(checkpoint, optimizerFile), filepath.Join(modelDir, weightsFile), vocabularyFile, recipeFile,
	}
	if adapter := filepath.Join(modelDir, "adapter_model.safetensors"); exists(filepath.Join(a, adapter)) {
		files[2] = adapter
	}
	if average := filepath.Join(checkpoint, averageFile); exists(filepath.Join(a, average)) {
		files = append(files, average)
	}
	for _, file := range files {
		x, err := os.ReadFile(filepath.Join(a, file))
		if err != nil {
			t.Fatal(err)
		}
		y, err := os.ReadFile(filepath.Join(b, file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x, y) {
			t.Errorf("%s differs", file)
		}
	}
	x, err := ReadHistory(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := ReadHistory(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Steps) != len(y.Steps) || len(x.Validations) != len(y.Validations) {
		t.Fatalf("metrics.jsonl: %d steps and %d validations, %d and %d", len(x.Steps), len(x.Validations), len(y.Steps), len(y.Validations))
	}
	for i := range x.Steps {
		if x.Steps[i].Step != y.Steps[i].Step || x.Steps[i].Loss != y.Steps[i].Loss {
			t.Errorf("metrics.jsonl: %+v and %+v", x.Steps[i], y.Steps[i])
		}
	}
}

// stopper cancels a run at a step.
type stopper struct {
	silent
	at     int
	cancel func()
}

func (s *stopper) Step(r StepReport) {
	if r.Step == s.at {
		s.cancel()
	}
}

// bitsRecipes are one of each objective.
var bitsRecipes = map[string]func(t testing.TB, dir string) Recipe{
	"translation": bitsRecipe, "language model": languageBitsRecipe, "classification": classificationBitsRecipe,
	"reward": rewardBitsRecipe, "preference": preferenceBitsRecipe,
	"lora": loraBitsRecipe, "reward adapter": rewardAdapterBitsRecipe,
}

func TestAnInterruptedRunGoesOnToTheSameBits(t *testing.T) {
	for name, recipe := range bitsRecipes {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			interruptAndGoOn(t, dir, recipe(t, dir))
		})
	}
}

func interruptAndGoOn(t *testing.T, dir string, recipe Recipe) {
	whole, parts := filepath.Join(dir, "whole"), filepath.Join(dir, "parts")
	want, err := Start(t.Context(), recipe, Options{Out: whole, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i, at := range []int{5, 23, 60, 89} {
		ctx, cancel := context.WithCancel(t.Context())
		o := Options{Out: parts, Threads: 1 + i%3, Progress: &stopper{at: at, cancel: cancel}}
		if i == 0 {
			_, err = Start(ctx, recipe, o)
		} else {
			_, err = Resume(ctx, parts, o)
		}
		cancel()
		var stopped *Interrupted
		if !errors.As(err, &stopped) || stopped.Step != at || stopped.Dir != parts {
			t.Fatalf("cancelled at step %d: %v", at, err)
		}
	}
	got, err := Resume(t.Context(), parts, Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if got.Chosen != want.Chosen || !reflect.DeepEqual(got.Validation, want.Validation) || got.Step != want.Step {
		t.Errorf("resumed %+v, want %+v", got, want)
	}
	mustEqualRuns(t, whole, parts)
	again, err := Resume(t.Context(), parts, Options{})
	if err != nil || again.Chosen != got.Chosen {
		t.Errorf("resuming a finished run: %+v, %v", again, err)
	}
}

const childVariable = "PARLEY_TRAIN_TEST_CHILD"

// TestMain lets the test binary be a training that is killed: with the variable set to a directory it starts or goes
// on with the run there.
func TestMain(m *testing.M) {
	dir := os.Getenv(childVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	out := filepath.Join(dir, "killed")
	o := Options{Out: out, Threads: 2}
	var err error
	if exists(filepath.Join(out, recipeFile)) {
		_, err = Resume(context.Background(), out, o)
	} else {
		var r Recipe
		if r, err = LoadRecipe(filepath.Join(dir, "recipe.toml")); err == nil {
			_, err = Start(context.Background(), r, o)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestAKilledRunGoesOnToTheSameBits(t *testing.T) {
	for name, recipe := range bitsRecipes {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			killAndGoOn(t, dir, recipe(t, dir))
		})
	}
	t.Run("dialogues", func(t *testing.T) {
		dir := t.TempDir()
		killAndGoOn(t, dir, talksBitsRecipe(t, dir))
	})
	t.Run("policy", func(t *testing.T) {
		dir := t.TempDir()
		killAndGoOn(t, dir, policyBits(t, dir))
	})
}

// afterFirstCheckpoint tells when a run has one.
func afterFirstCheckpoint(dir string) <-chan time.Time {
	c := make(chan time.Time, 1)
	go func() {
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if latest, err := latestCheckpoint(dir); err == nil && latest != "" {
				break
			}
		}
		c <- time.Now()
	}()
	return c
}

func killAndGoOn(t *testing.T, dir string, recipe Recipe) {
	if err := os.WriteFile(filepath.Join(dir, "recipe.toml"), recipe.TOML(), 0o666); err != nil {
		t.Fatal(err)
	}
	whole, killed := filepath.Join(dir, "whole"), filepath.Join(dir, "killed")
	begin := time.Now()
	if _, err := Start(t.Context(), recipe, Options{Out: whole, Threads: 2}); err != nil {
		t.Fatal(err)
	}
	length := time.Since(begin)
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	kills, reached := 0, 0
	for attempt := range 30 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childVariable+"="+dir)
		var stderr bytes.Buffer
		child.Stderr = &stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- child.Wait() }()
		wait := time.Duration((0.05 + 0.4*rng.Float64()) * float64(length))
		if attempt >= 6 { // let it end
			wait = time.Minute
		}
		moment := time.After(wait)
		if attempt == 0 { // so that at least one kill has something to go on from, however slow the machine
			moment = afterFirstCheckpoint(killed)
		}
		var err error
		select {
		case err = <-done:
		case <-moment:
			child.Process.Kill()
			<-done
			kills++
			if latest, err := latestCheckpoint(killed); err != nil {
				t.Fatal(err)
			} else if latest != "" {
				reached++
			}
			continue
		}
		if err != nil {
			t.Fatalf("attempt %d: %v: %s", attempt, err, stderr.String())
		}
		break
	}
	if kills == 0 || reached == 0 {
		t.Errorf("%d kills, %d of them after the first checkpoint: the test tests nothing", kills, reached)
	}
	mustEqualRuns(t, whole, killed)
}

func TestANumberThatIsNoneStopsTheRun(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	r := newRun(t, out, toyRecipe(t, dir, "train.checkpoint_every=10"))
	r.progress = &poisoner{r: r, at: 24}
	_, err := r.train(t.Context())
	var broken *NotFinite
	if !errors.As(err, &broken) || broken.Step != 25 || !strings.Contains(err.Error(), "at step 25") || !strings.Contains(err.Error(), filepath.Join(checkpointsDir, "20")) {
		t.Fatalf("error: %v", err)
	}
	latest, err := latestCheckpoint(out)
	if err != nil || filepath.Base(latest) != "20" {
		t.Errorf("latest checkpoint: %s, %v", latest, err)
	}
	result, err := Resume(t.Context(), out, Options{Set: []string{"train.updates=30", "train.average=0"}})
	if err != nil || result.Step != 30 {
		t.Errorf("resumed from the last good state: %+v, %v", result, err)
	}
}

// poisoner makes one weight infinite after a step.
type poisoner struct {
	silent
	r  *run
	at int
}

func (p *poisoner) Step(s StepReport) {
	if s.Step == p.at {
		p.r.store.Values()[3000] = float32(math.Inf(1))
	}
}

func TestPatienceEndsTheRunAndTheBestModelIsKept(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	result, err := Start(t.Context(), toyRecipe(t, dir, "train.updates=5000", "schedule.kind=constant", "validation.every=10",
		"validation.patience=3", "validation.metric=loss", "validation.beam=0", "train.average=0", "train.lr=0.02", "train.seed=3"), Options{Out: out})
	if err != nil {
		t.Fatal(err)
	}
	h, err := ReadHistory(out)
	if err != nil {
		t.Fatal(err)
	}
	best, at := math.Inf(1), 0
	for i, v := range h.Validations {
		if v.Loss < best {
			best, at = v.Loss, i
		}
	}
	if result.Stopped != "patience" || at != len(h.Validations)-4 || result.Validation.Loss != best || result.Chosen != fmt.Sprintf("step %d", 10*(at+1)) {
		t.Errorf("%+v; the best of %d validations is number %d (%g)", result, len(h.Validations), at+1, best)
	}
}

func TestGoingOnFromATrainedModelKeepsItsVocabulary(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	one, err := Start(t.Context(), toyRecipe(t, dir, "train.updates=120"), Options{Out: first})
	if err != nil {
		t.Fatal(err)
	}
	two, err := Start(t.Context(), toyRecipe(t, dir, "train.updates=30", "schedule.kind=constant", "schedule.warmup=0", "train.lr=0.001",
		"validation.every=10", "model.from="+first), Options{Out: second})
	if err != nil {
		t.Fatal(err)
	}
	if two.Validation.Loss > one.Validation.Loss+0.05 {
		t.Errorf("loss %g, after going on %g", one.Validation.Loss, two.Validation.Loss)
	}
	a, _ := os.ReadFile(filepath.Join(first, vocabularyFile))
	b, _ := os.ReadFile(filepath.Join(second, vocabularyFile))
	if !bytes.Equal(a, b) {
		t.Error("the vocabulary is another one")
	}
}

func TestDryRunWritesNothingAndMeasures(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	p, err := DryRun(t.Context(), toyRecipe(t, dir), Options{Out: out, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if p.Parameters < 10000 || p.Vocabulary != 310 || p.SecondsPerUpdate <= 0 || p.MemoryBytes < 1<<20 || p.FLOPsPerUpdate < 1e6 || p.Updates != 400 {
		t.Errorf("%+v", p)
	}
	if exists(out) {
		t.Error("a dry run made its directory")
	}
}

// notes keeps what a run says.
type notes struct {
	silent
	lines []string
}

func (n *notes) Note(line string) { n.lines = append(n.lines, line) }

func TestResumingOnAnotherInstructionSetWarns(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	r := newRun(t, out, toyRecipe(t, dir, "train.updates=20", "schedule.warmup=5", "train.average=0", "validation.every=0"))
	r.state.ISA = "abacus"
	if err := r.saveCheckpoint(); err != nil {
		t.Fatal(err)
	}
	n := &notes{}
	if _, err := Resume(t.Context(), out, Options{Progress: n}); err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(n.lines, "\n"); !strings.Contains(said, "warning: this run began on abacus") {
		t.Errorf("it says: %s", said)
	}
}

func TestAFinishedRunCanBeProlonged(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	if _, err := Start(t.Context(), toyRecipe(t, dir, "train.updates=30", "validation.every=10"), Options{Out: out}); err != nil {
		t.Fatal(err)
	}
	result, err := Resume(t.Context(), out, Options{Set: []string{"train.updates=50"}})
	if err != nil || result.Step != 50 {
		t.Fatalf("%+v, %v", result, err)
	}
	again, err := Resume(t.Context(), out, Options{})
	if err != nil || again.Step != 50 {
		t.Errorf("%+v, %v", again, err)
	}
	h, err := ReadHistory(out)
	if err != nil || len(h.Tests) != 1 {
		t.Errorf("%d test lines, want those of the last end alone; %v", len(h.Tests), err)
	}
}

func TestWrongBeginningsSayWhatToDo(t *testing.T) {
	dir := t.TempDir()
	recipe := toyRecipe(t, dir, "train.updates=40", "schedule.warmup=5", "train.average=0")
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "run")
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Start(ctx, recipe, Options{Out: out, Progress: &stopper{at: 3, cancel: cancel}}); err == nil {
		t.Fatal("a cancelled run ended without error")
	}
	other := recipe
	other.Data.Dir = t.TempDir()
	for _, c := range []struct {
		name, want string
		start      func() (*Result, error)
	}{
		{"no directory", "--out", func() (*Result, error) { return Start(t.Context(), recipe, Options{}) }},
		{"a file in the way", "run directory", func() (*Result, error) { return Start(t.Context(), recipe, Options{Out: filepath.Join(file, "run")}) }},
		{"a run there already", "--resume", func() (*Result, error) { return Start(t.Context(), recipe, Options{Out: out}) }},
		{"something else there", "not empty", func() (*Result, error) { return Start(t.Context(), recipe, Options{Out: dir}) }},
		{"missing data", "data.train: ", func() (*Result, error) { return Start(t.Context(), other, Options{Out: filepath.Join(dir, "x")}) }},
		{"missing data where nothing has been begun", "data.train: ", func() (*Result, error) { return Start(t.Context(), other, Options{Out: filepath.Join(dir, "x")}) }},
		{"no run to resume", "not a run directory", func() (*Result, error) { return Resume(t.Context(), t.TempDir(), Options{}) }},
		{"a wrong change", "did you mean", func() (*Result, error) {
			return Resume(t.Context(), out, Options{Set: []string{"train.update=3"}})
		}},
		{"a changed model", "has shape", func() (*Result, error) {
			return Resume(t.Context(), out, Options{Set: []string{"model.feed_forward=32"}})
		}},
		{"changed data", "the same data", func() (*Result, error) {
			writeToyPairs(t, filepath.Join(dir, "toy.tsv"), 300)
			return Resume(t.Context(), out, Options{})
		}},
	} {
		if _, err := c.start(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// intruder tries to go on with a run while it is at work.
type intruder struct {
	silent
	dir string
	err error
}

func (i *intruder) Step(StepReport) {
	if i.err == nil {
		_, i.err = Resume(context.Background(), i.dir, Options{Threads: 1})
	}
}

func TestTwoCannotTrainInOneDirectory(t *testing.T) {
	dir := t.TempDir()
	recipe := toyRecipe(t, dir, "train.updates=5", "schedule.warmup=1", "train.average=0")
	i := &intruder{dir: filepath.Join(dir, "run")}
	if _, err := Start(t.Context(), recipe, Options{Out: i.dir, Progress: i}); err != nil {
		t.Fatalf("the one at work was disturbed: %v", err)
	}
	if i.err == nil || !strings.Contains(i.err.Error(), "another process is training") {
		t.Errorf("the one that came later got %v", i.err)
	}
	if _, err := Resume(t.Context(), i.dir, Options{Set: []string{"train.updates=6"}}); err != nil {
		t.Errorf("when the first had ended: %v", err)
	}
}
