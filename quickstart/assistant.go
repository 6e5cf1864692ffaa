package quickstart

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/compare"
	"github.com/parley-lm/parley/feedback"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/rank"
	"github.com/parley-lm/parley/sandbox"
	"github.com/parley-lm/parley/train"
)

// Assistant is what became of the model that answers questions, stage by stage.
type Assistant struct {
	Dir        string             `json:"dir"`
	Rankings   int                `json:"rankings"`
	Judgement  train.Score        `json:"reward_model"` // how the reward model judges pairs of held-out prompts
	Comparison *compare.Report    `json:"comparison"`   // after fine-tuning, pre-training and reinforcement learning
	Questions  []compare.Question `json:"-"`            // that were asked
	Seconds    float64            `json:"seconds"`
}

// An effort says how much of everything there is.
type effort struct {
	stories, storyUpdates, dialogues, tuneUpdates int
	prompts, answers                              int // that are ranked
	noise                                         float64
	epochs, rollouts                              int // of reinforcement learning, and the answers in each
	questions                                     int // to measure with
}

var (
	whole = effort{
		stories: 45000, storyUpdates: 1000, dialogues: 20000, tuneUpdates: 400, prompts: 800, answers: 6, noise: 0.1, epochs: 40, rollouts: 256, questions: 500,
	}
	fast = effort{
		stories: 20000, storyUpdates: 300, dialogues: 6000, tuneUpdates: 120, prompts: 200, answers: 4, noise: 0.1, epochs: 8, rollouts: 256, questions: 200,
	}
)

// pipeline is the making of the assistant. Each stage takes what those before have left in the directory, and is left out where
// it has left its own already, so that a pipeline that was stopped goes on.
type pipeline struct {
	Options
	effort
	stage int
}

func (p *pipeline) say(format string, args ...any) {
	if p.Log != nil {
		fmt.Fprintf(p.Log, format+"\n", args...)
	}
}

// begin announces a stage: what it is for, and the command that does the same.
func (p *pipeline) begin(name, why, command string) {
	p.stage++
	p.say("%d. %s. %s\n     parley %s", p.stage, name, why, command)
}

func (p *pipeline) path(name string) string { return filepath.Join(p.Out, name) }

// RunAssistant makes a model that answers questions about stories, by the whole recipe (Ouyang et al. 2022): pre-training,
// fine-tuning, ranking, reward model, reinforcement learning, and measures it. With short set everything is smaller, and weaker.
func RunAssistant(ctx context.Context, o Options, short bool) (*Assistant, error) {
	p := &pipeline{Options: o, effort: whole}
	if short {
		p.effort = fast
	}
	return p.run(ctx)
}

// run makes the assistant in p.Out.
func (p *pipeline) run(ctx context.Context) (*Assistant, error) {
	start := time.Now()
	if err := os.MkdirAll(p.Out, 0o777); err != nil {
		return nil, err
	}
	village := sandbox.Village{Seed: World, Part: sandbox.Train}
	if err := p.data(village); err != nil {
		return nil, err
	}
	a := &Assistant{Dir: p.path("ppo")}

	p.begin("Pre-training", "A Transformer reads stories of a small village, to learn the language and how things change in it (Radford et al. 2018).",
		"train sandbox-stories --out "+p.path("stories"))
	if _, err := p.train(ctx, "stories", "sandbox-stories", map[string]string{
		"data.pairs": fmt.Sprint(p.stories), "train.updates": fmt.Sprint(p.storyUpdates), "validation.every": fmt.Sprint(p.storyUpdates),
	}); err != nil {
		return nil, err
	}
	p.begin("Fine-tuning", "It learns to answer from dialogues that people wrote, who err and ramble as people do (Ouyang et al. 2022, step 1).",
		fmt.Sprintf("train sft -m %s --data %s --out %s", p.path("stories"), p.path("dialogues.jsonl"), p.path("sft")))
	if _, err := p.train(ctx, "sft", "sft", map[string]string{
		"model.from": p.path("stories"), "data.train": p.path("dialogues.jsonl"), "optimizer.kind": "muon", "train.lr": "0.004",
		"train.epochs": "0", "train.updates": fmt.Sprint(p.tuneUpdates), "validation.every": fmt.Sprint(p.tuneUpdates), "validation.samples": "0",
	}); err != nil {
		return nil, err
	}
	p.begin("Ranking", fmt.Sprintf("It answers each of %d questions %d times, and somebody ranks the answers: here a judge who is wrong about %.0f %% of pairs, as people are.", p.prompts, p.answers, 100*p.noise),
		fmt.Sprintf("rank -m %s --prompts %s -n %d --judge sandbox --noise %g --feedback %s", p.path("sft"), p.path("questions.jsonl"), p.answers, p.noise, p.path("feedback.db")))
	var err error
	if a.Rankings, err = p.rank(ctx); err != nil {
		return nil, err
	}
	p.begin("Reward model", "A copy of it learns to predict the judge's rankings (Stiennon et al. 2020).",
		fmt.Sprintf("train reward -m %s --data %s --out %s", p.path("sft"), p.path("rankings.jsonl"), p.path("reward")))
	judged, err := p.train(ctx, "reward", "reward", map[string]string{"model.from": p.path("sft"), "data.train": p.path("rankings.jsonl")})
	if err != nil {
		return nil, err
	}
	a.Judgement = judged.Validation
	p.begin("Reinforcement learning", "It answers, the reward model judges, and what is judged well becomes more likely (PPO; Schulman et al. 2017, Ouyang et al. 2022).",
		fmt.Sprintf("train ppo -m %s --reward %s --prompts %s --out %s", p.path("sft"), p.path("reward"), p.path("questions.jsonl"), p.path("ppo")))
	if _, err := p.train(ctx, "ppo", "ppo", map[string]string{
		"model.from": p.path("sft"), "reward.kind": "model", "reward.model": p.path("reward"), "reward.watch": "sandbox-judge", "data.train": p.path("questions.jsonl"),
		"rollout.max_tokens": "32", "rollout.answers": fmt.Sprint(p.rollouts), "train.epochs": fmt.Sprint(p.epochs),
	}); err != nil {
		return nil, err
	}
	p.begin("Measuring", fmt.Sprintf("%d questions about combinations of words that no stage has seen together.", p.questions),
		fmt.Sprintf("eval chat --sandbox -m %s -m %s -m %s", p.path("sft"), p.path("stories"), p.path("ppo")))
	a.Questions = compare.Sandbox(sandbox.Village{Seed: World, Part: sandbox.Unseen}, p.questions)
	a.Comparison, err = p.compare(ctx, a.Questions)
	a.Seconds = time.Since(start).Seconds()
	return a, err
}

// data writes the dialogues and the questions.
func (p *pipeline) data(v sandbox.Village) error {
	return errors.Join(
		writeOnce(p.path("dialogues.jsonl"), p.dialogues, func(i int) any { return map[string]any{"messages": v.Dialogue(i, sandbox.Careless)} }),
		writeOnce(p.path("questions.jsonl"), 4*p.prompts, func(i int) any { return map[string]any{"prompt": v.Question(i).Messages} }),
	)
}

// writeOnce writes n lines of JSON to a file that is not there yet.
func writeOnce(path string, n int, line func(i int) any) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return hub.WriteFileAtomic(path, func(w io.Writer) error {
		buffered := bufio.NewWriter(w)
		e := json.NewEncoder(buffered)
		e.SetEscapeHTML(false)
		for i := range n {
			if err := e.Encode(line(i)); err != nil {
				return err
			}
		}
		return buffered.Flush()
	})
}

// train carries a recipe out in a directory of its own, or goes on with it.
func (p *pipeline) train(ctx context.Context, name, recipe string, set map[string]string) (*train.Result, error) {
	dir := p.path(name)
	o := train.Options{Out: dir, Threads: p.Threads, Progress: p.Progress, GenerateText: Text, Rewards: Rewards()}
	if _, err := os.Stat(filepath.Join(dir, "recipe.toml")); !errors.Is(err, fs.ErrNotExist) {
		return train.Resume(ctx, dir, o)
	}
	r, err := train.LoadRecipe(recipe)
	if err != nil {
		return nil, err
	}
	r.Train.Seed = p.Seed
	for key, value := range set {
		if err := r.Override(key, value); err != nil {
			return nil, err
		}
	}
	return train.Start(ctx, r, o)
}

// rank samples answers and has the judge rank them, and returns how many prompts were ranked.
func (p *pipeline) rank(ctx context.Context) (int, error) {
	store, err := feedback.Open(ctx, p.path("feedback.db"))
	if err != nil {
		return 0, err
	}
	defer store.Close()
	prompts, err := rank.ReadPrompts(p.path("questions.jsonl"))
	if err != nil {
		return 0, err
	}
	m, err := parley.Open(p.path("sft"), parley.Threads(p.Threads))
	if err != nil {
		return 0, err
	}
	defer m.Close()
	s := rank.Sampler{Model: m, Name: "sft", N: p.answers, MaxTokens: 32, Temperature: 1, TopP: 1, Seed: uint64(p.Seed)}
	if err := s.Sample(ctx, store, prompts[:p.prompts], nil); err != nil {
		return 0, err
	}
	judge := sandbox.Judge{Taste: sandbox.DefaultTaste, Flip: p.noise, Seed: uint64(p.Seed)}
	if _, _, err := rank.BySandbox(ctx, store, judge); err != nil {
		return 0, err
	}
	report, err := store.Report(ctx)
	if err != nil {
		return 0, err
	}
	p.say("     %d pairs, %d ties", report.Pairs, report.Ties)
	return report.Rankings, hub.WriteFileAtomic(p.path("rankings.jsonl"), func(w io.Writer) error {
		_, err := store.Export(ctx, w)
		return err
	})
}

// compare asks the models of the stages what none has seen; the fine-tuned one is the first, which the others are compared with.
func (p *pipeline) compare(ctx context.Context, questions []compare.Question) (*compare.Report, error) {
	reference, err := parley.Open(p.path("sft"), parley.Threads(p.Threads))
	if err != nil {
		return nil, err
	}
	defer reference.Close()
	reward, err := compare.OpenRewardModel(p.path("reward"), p.Threads)
	if err != nil {
		return nil, err
	}
	defer reward.Close()
	names := []string{"sft", "stories", "ppo"}
	return compare.Run(ctx, names, func(i int) (*parley.Model, error) { return parley.Open(p.path(names[i]), parley.Threads(p.Threads)) }, questions,
		compare.Options{MaxTokens: 32, Seed: uint64(p.Seed), Reference: reference, Reward: reward})
}
