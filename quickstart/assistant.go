package quickstart

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"sync"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/compare"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/sandbox"
	"github.com/parley-lm/parley/tokenizer"
	"github.com/parley-lm/parley/train"
)

// Assistant is what became of the model that answers questions, stage by stage.
type Assistant struct {
	Dir              string             `json:"dir"`
	Vocabulary       int                `json:"vocabulary"`
	Rankings         Rankings           `json:"rankings"`
	Judgement        train.Score        `json:"reward_model"` // how the reward model judges pairs of held-out prompts
	Comparison       *compare.Report    `json:"comparison"`   // of the model after each stage
	Questions        []compare.Question `json:"-"`            // that were asked
	Overoptimisation *Overoptimisation  `json:"overoptimisation"`
	Conversations    []Exchange         `json:"conversations"`
}

// Run directories of the assistant's trainings.
const (
	storiesRun   = "stories"
	sftRun       = "sft"
	rewardRun    = "reward"
	ppoRun       = "ppo"
	grpoRun      = "grpo"
	unleashedRun = "unleashed"
)

const tokenizerFile = "tokenizer.json"

// village is what the assistant learns about.
var village = sandbox.Village{Seed: World, Part: sandbox.Train}

// assistantStages are the recipe of InstructGPT, and what shows how it works out.
func (w *workshop) assistantStages(a *Assistant) []step {
	a.Dir = w.path(grpoRun)
	stories, dialogues := w.path("stories.jsonl"), w.path("dialogues.jsonl")
	questions, prompts := w.path("questions.jsonl"), w.path("prompts.jsonl")
	tokenizerPath, rankings := w.path(tokenizerFile), w.path(rankingsFile)
	pretraining := slices.Concat(settings{"data.format=jsonl", "data.train=" + stories, "tokenizer.file=" + tokenizerPath}, w.Pretraining)
	brief := settings{fmt.Sprint("rollout.max_tokens=", w.MaxTokens)}
	watched := slices.Concat(settings{"reward.watch=sandbox-judge"}, brief)
	unleashed := slices.Concat(watched, settings{"policy.kl=0"}, w.Unleashed)
	return []step{
		{
			name: "Texts",
			why:  "A small village is generated: stories to read, dialogues to learn talking from, questions to practise on.",
			commands: []string{
				fmt.Sprintf("parley sandbox stories --json --seed %d --count %d > %s", World, w.Stories, stories),
				fmt.Sprintf("parley sandbox dialogues --json --seed %d --count %d > %s", World, w.Dialogues, dialogues),
				fmt.Sprintf("parley sandbox questions --json --seed %d --count %d > %s", World, w.Questions, questions),
				fmt.Sprintf("parley sandbox questions --json --seed %d --count %d > %s", World, w.Prompts, prompts),
			},
			do: func(ctx context.Context) error { return w.writeTexts(ctx, stories, dialogues, questions, prompts) },
		},
		{
			name: "Tokenizer", paper: "Sennrich et al. 2016",
			why:      "The pieces are learned of which words are made: what occurs often together becomes one token.",
			commands: []string{fmt.Sprintf("parley tokenizer train --vocab %d --special '%s' --out %s %s", w.Vocab, train.BeginToken, tokenizerPath, stories)},
			do:       func(ctx context.Context) error { return w.learnTokenizer(ctx, tokenizerPath, a) },
			recall:   func() error { return a.readTokenizer(tokenizerPath) },
		},
		{
			name: "Pre-training", paper: "Radford et al. 2018",
			why:      "A Transformer reads the stories and learns to say what comes next: the language, and how things change in this village.",
			commands: []string{w.command("train sandbox-stories --out "+w.path(storiesRun), pretraining)},
			do:       w.training(storiesRun, "sandbox-stories", nil, pretraining),
		},
		{
			name: "Fine-tuning", paper: "Ouyang et al. 2022, step 1",
			why:      "It learns to answer from dialogues that people wrote, who guess and ramble as people do.",
			commands: []string{w.command(fmt.Sprintf("train sft -m %s --data %s --out %s", w.path(storiesRun), dialogues, w.path(sftRun)), w.FineTuning)},
			do:       w.training(sftRun, "sft", nil, settings{"model.from=" + w.path(storiesRun), "data.train=" + dialogues}, w.FineTuning),
		},
		{
			name: "Ranking", paper: "Stiennon et al. 2020",
			why: fmt.Sprintf("It answers each of %d questions %d times, and somebody ranks the answers: here a judge who is wrong about %.0f %% of the pairs, as people are.", w.Prompts, w.Answers, 100*w.Noise),
			commands: []string{
				w.command(fmt.Sprintf("rank -m %s --prompts %s -n %d --temperature %g --max-tokens %d --judge sandbox --noise %g --feedback %s", w.path(sftRun), prompts, w.Answers, w.Temperature, w.MaxTokens, w.Noise, w.path(feedbackFile)), nil),
				fmt.Sprintf("parley rank export --feedback %s > %s", w.path(feedbackFile), rankings),
			},
			do:     func(ctx context.Context) error { return w.rank(ctx, prompts, rankings, a) },
			recall: func() (err error) { a.Rankings, err = readRankings(rankings); return err },
		},
		{
			name: "Reward model", paper: "Ouyang et al. 2022, step 2",
			why:      "A copy of the fine-tuned model learns to predict how the judge ranks.",
			commands: []string{w.command(fmt.Sprintf("train reward -m %s --data %s --out %s", w.path(sftRun), rankings, w.path(rewardRun)), w.RewardModel)},
			do:       w.training(rewardRun, "reward", a.judgement, settings{"model.from=" + w.path(sftRun), "data.train=" + rankings}, w.RewardModel),
			recall:   func() error { return w.training(rewardRun, "reward", a.judgement)(context.Background()) },
		},
		{
			name: "Reinforcement learning", paper: "PPO, Schulman et al. 2017; Ouyang et al. 2022, step 3",
			why:      "The fine-tuned model answers, the reward model judges, and what is judged well becomes more likely, without leaving what it was too far.",
			commands: []string{w.reinforcement(ppoRun, questions, slices.Concat(watched, w.PPO))},
			do:       w.training(ppoRun, "ppo", nil, w.rewarded(questions), watched, w.PPO),
		},
		{
			name: "The true reward", paper: "GRPO, Shao et al. 2024",
			why:      "Where a program can say whether an answer is right, no reward model is needed: of several answers to one question, the right ones become more likely.",
			commands: []string{w.command(fmt.Sprintf("train grpo -m %s --reward sandbox --prompts %s --out %s", w.path(ppoRun), questions, w.path(grpoRun)), slices.Concat(brief, w.GRPO))},
			do:       w.training(grpoRun, "grpo", nil, settings{"model.from=" + w.path(ppoRun), "data.train=" + questions, "reward.kind=sandbox"}, brief, w.GRPO),
		},
		{
			name: "Over-optimisation", paper: "Gao et al. 2022",
			why:      "PPO again, from the fine-tuned model, without anything that holds it back, to see where the reward model's opinion and the judge's true taste part.",
			commands: []string{w.reinforcement(unleashedRun, questions, unleashed)},
			do:       w.training(unleashedRun, "ppo", func(*train.Result) error { return w.seeOveroptimisation(a) }, w.rewarded(questions), unleashed),
			recall:   func() error { return w.seeOveroptimisation(a) },
		},
		{
			name:     "Measuring",
			why:      fmt.Sprintf("The model after each stage answers %d questions about combinations of words that no stage has seen together.", w.Asked),
			commands: []string{w.comparison()},
			do:       func(ctx context.Context) error { return w.measureAssistant(ctx, a) },
			recall:   func() error { return w.recallAssistant(a) },
		},
	}
}

// command is the command line of parley that does what a stage does.
func (w *workshop) command(line string, set settings) string {
	if w.Seed != 1 {
		line += fmt.Sprint(" --seed ", w.Seed)
	}
	return command(line, set)
}

func (w *workshop) reinforcement(run, questions string, set settings) string {
	return w.command(fmt.Sprintf("train ppo -m %s --reward %s --prompts %s --out %s", w.path(sftRun), w.path(rewardRun), questions, w.path(run)), set)
}

func (w *workshop) rewarded(questions string) settings {
	return settings{"model.from=" + w.path(sftRun), "reward.kind=model", "reward.model=" + w.path(rewardRun), "data.train=" + questions}
}

// training returns a stage's work: a recipe carried out in a run directory; then, if it is not nil, is handed the result.
func (w *workshop) training(run, recipe string, then func(*train.Result) error, set ...settings) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := w.recipe(recipe, set...)
		if err != nil {
			return err
		}
		result, err := w.train(ctx, run, r, Pairs)
		if err == nil && then != nil {
			err = then(result)
		}
		return err
	}
}

func (a *Assistant) judgement(r *train.Result) error {
	a.Judgement = r.Validation
	return nil
}

// sandboxQuestion is a question as parley sandbox writes it.
type sandboxQuestion struct {
	Messages []chat.Message `json:"messages"`
	Kind     sandbox.Kind   `json:"kind"`
	Answer   string         `json:"answer"`
}

// writeTexts writes what is learned from.
func (w *workshop) writeTexts(ctx context.Context, stories, dialogues, questions, prompts string) error {
	question := func(i int) any {
		q := village.Question(i)
		return sandboxQuestion{q.Messages, q.Kind, q.Answer()}
	}
	w.tell("“%s”", village.Document(0))
	return errors.Join(
		w.writeLines(ctx, stories, w.Stories, func(i int) any { return map[string]string{"text": village.Document(i)} }),
		w.writeLines(ctx, dialogues, w.Dialogues, func(i int) any { return map[string]any{"messages": village.Dialogue(i, sandbox.Careless)} }),
		w.writeLines(ctx, questions, w.Questions, question),
		w.writeLines(ctx, prompts, w.Prompts, question),
	)
}

// linesAtOnce is how many lines each thread makes before they are written.
const linesAtOnce = 256

// writeLines writes n lines of JSON, which are made on all threads.
func (w *workshop) writeLines(ctx context.Context, path string, n int, line func(i int) any) error {
	threads := w.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	parts := make([]bytes.Buffer, threads)
	failed := make([]error, len(parts))
	return hub.WriteFileAtomic(path, func(f io.Writer) error {
		for from := 0; from < n; from += len(parts) * linesAtOnce {
			var making sync.WaitGroup
			for k := range parts {
				making.Go(func() { failed[k] = encodeLines(&parts[k], from+k*linesAtOnce, min(n, from+(k+1)*linesAtOnce), line) })
			}
			making.Wait()
			if err := errors.Join(append(failed, ctx.Err())...); err != nil {
				return err
			}
			for k := range parts {
				if _, err := parts[k].WriteTo(f); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// encodeLines appends the lines from, …, to−1.
func encodeLines(b *bytes.Buffer, from, to int, line func(i int) any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	for i := from; i < to; i++ {
		if err := e.Encode(line(i)); err != nil {
			return err
		}
	}
	return nil
}

// learnTokenizer learns the vocabulary from the stories.
func (w *workshop) learnTokenizer(ctx context.Context, path string, a *Assistant) error {
	documents := iter.Seq[string](func(yield func(string) bool) {
		for i := 0; i < w.Stories && ctx.Err() == nil && yield(village.Document(i)); i++ {
		}
	})
	t, err := tokenizer.Train(documents, tokenizer.TrainOptions{
		VocabSize: w.Vocab, MinFrequency: 2, Pattern: tokenizer.GPT2, InitialAlphabet: true, SpecialTokens: []string{train.BeginToken}, Threads: w.Threads,
	})
	if err = errors.Join(ctx.Err(), err); err != nil {
		return err
	}
	text, err := t.JSON()
	if err != nil {
		return err
	}
	if err := hub.WriteBytesAtomic(path, text); err != nil {
		return err
	}
	a.Vocabulary = t.Size()
	w.tell("%d tokens: %s", t.Size(), cut(t, "Julie takes the umbrella to the hospital."))
	return nil
}

func (a *Assistant) readTokenizer(path string) error {
	t, err := tokenizer.Load(path)
	if err == nil {
		a.Vocabulary = t.Size()
	}
	return err
}

// cut shows where a text is cut.
func cut(t *tokenizer.Tokenizer, text string) string {
	shown := ""
	for i, id := range t.Encode(text) {
		if i > 0 {
			shown += "|"
		}
		shown += t.Decode([]int32{id}, false)
	}
	return shown
}
