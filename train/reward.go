package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/judge"
	"github.com/parley-lm/parley/loss"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// Reward says what answers are worth. It is a function of each answer alone: not of the others that are asked about with it,
// nor of what came before. A run serves one Reward from one goroutine.
type Reward interface {
	// Judge writes the reward of each answer. An error ends the run, as does a reward that is not finite.
	Judge(ctx context.Context, answers []Answer, rewards []float64) error
}

// Answer is what a policy wrote to a prompt.
type Answer struct {
	Prompt *Prompt
	Text   string  // without the token that ends it
	Tokens []int32 // with that token, if it was written
	Ended  bool    // by itself; otherwise it was cut off at rollout.max_tokens
}

// RewardRecipe says where rewards come from.
type RewardRecipe struct {
	// Kind is one of
	//	model     the score that a reward model gives to prompt and answer together; with Label, of a text classifier the logarithm
	//	          of the odds of that label
	//	answer    1 if the answer is the one that the prompt's file gives, letters' case, white space and a full stop at the end set
	//	          aside, else 0
	//	contains  1 if Text occurs in the answer, else 0
	//	length    minus the distance from Tokens, as a share of it: 0 for an answer of so many tokens, -1 for one of none
	// or another that whoever starts the run brings along (Options.Rewards).
	Kind   string `toml:"kind,omitempty"`
	Model  string `toml:"model,omitempty"`  // directory of the reward model or classifier, or its run
	Label  string `toml:"label,omitempty"`  // of a classifier: what it should say of prompt and answer
	Text   string `toml:"text,omitempty"`   // of "contains"
	Tokens int    `toml:"tokens,omitempty"` // of "length"
	// Watch is another kind, which is only measured: what the reward stands for, where that is known, to see where the two
	// part (Gao et al. 2022).
	Watch string `toml:"watch,omitempty"`
	// NotEnded is taken from the reward of an answer that does not end by itself within rollout.max_tokens.
	NotEnded float64 `toml:"not_ended,omitzero"`
}

// rewardKinds are those that every run knows.
var rewardKinds = []string{"model", "answer", "contains", "length"}

// RewardKinds returns them: what reward.kind may be.
func RewardKinds() []string { return slices.Clone(rewardKinds) }

func (r *RewardRecipe) check(more map[string]func(Recipe) (Reward, error)) error {
	switch {
	case r.Kind == "model" && r.Model == "":
		return errors.New(`recipe: reward.kind = "model" needs reward.model, the directory of a reward model (--reward DIR)`)
	case r.Kind != "model" && r.Watch != "model" && r.Model != "":
		return fmt.Errorf(`recipe: reward.model has a meaning only with reward.kind = "model", not %q`, r.Kind)
	case r.Label != "" && r.Kind != "model" && r.Watch != "model":
		return fmt.Errorf(`recipe: reward.label has a meaning only with reward.kind = "model", not %q`, r.Kind)
	case r.Kind == "contains" && r.Text == "":
		return errors.New(`recipe: reward.kind = "contains" needs reward.text`)
	case r.Kind == "length" && r.Tokens < 1:
		return errors.New(`recipe: reward.kind = "length" needs reward.tokens, how many an answer should have`)
	}
	known := slices.Clone(rewardKinds)
	for kind := range more {
		known = append(known, kind)
	}
	slices.Sort(known)
	if !slices.Contains(known, r.Kind) {
		return wrongName("reward.kind", r.Kind, known...)
	}
	if r.Watch != "" && !slices.Contains(known, r.Watch) {
		return wrongName("reward.watch", r.Watch, known...)
	}
	return nil
}

// newWatched makes the reward that is only measured; nil where there is none.
func newWatched(w workplace, tok *tokenizer.Tokenizer) (Reward, error) {
	if w.recipe.Reward.Watch == "" {
		return nil, nil
	}
	own := *w.recipe
	if own.Reward.Kind, own.Reward.Watch = own.Reward.Watch, ""; own.Reward.Kind != "model" {
		own.Reward.Model, own.Reward.Label = "", ""
	}
	w.recipe = &own
	return newReward(w, tok)
}

// newReward makes what the recipe asks for. tok is the policy's.
func newReward(w workplace, tok *tokenizer.Tokenizer) (Reward, error) {
	r := &w.recipe.Reward
	if err := r.check(w.options.Rewards); err != nil {
		return nil, err
	}
	switch r.Kind {
	case "model":
		return newModelReward(r.Model, r.Label, tok, w.pool)
	case "answer":
		return byAnswer(func(a Answer) float64 { return truth(plain(a.Text) == plain(a.Prompt.Answer)) }), nil
	case "contains":
		return byAnswer(func(a Answer) float64 { return truth(strings.Contains(a.Text, r.Text)) }), nil
	case "length":
		return byAnswer(func(a Answer) float64 {
			return -math.Abs(float64(len(a.Tokens)-r.Tokens)) / float64(r.Tokens)
		}), nil
	}
	return w.options.Rewards[r.Kind](*w.recipe)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// plain sets aside how an answer may be written.
func plain(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	return strings.TrimSpace(strings.TrimSuffix(text, "."))
}

// byAnswer is a Reward that looks at one answer at a time.
type byAnswer func(a Answer) float64

func (f byAnswer) Judge(_ context.Context, answers []Answer, rewards []float64) error {
	for i, a := range answers {
		rewards[i] = f(a)
	}
	return nil
}

// modelReward is a …ForSequenceClassification: with one label, or a text classifier of which one of several is wanted. It reads the
// policy's own tokens, and before a prompt that is plain text what its own tokenizer puts before texts.
type modelReward struct {
	model  *model.Classifier
	wanted int     // the label's number
	prefix []int32 // of plain text
	scorer judge.Scorer
	tape   grad.Tape
	ids    []int32
}

func newModelReward(dir, label string, tok *tokenizer.Tokenizer, pool *kernel.Pool) (*modelReward, error) {
	dir = hub.ModelDir(dir)
	c, err := hub.LoadClassifier(dir)
	if err != nil {
		return nil, fmt.Errorf("reward.model: %w", err)
	}
	labels := c.Model.Labels
	wanted := max(0, slices.Index(labels, label))
	switch {
	case label == "" && len(labels) != 1:
		return nil, fmt.Errorf("reward.model: %s has the labels %q; a reward model has one, and of a classifier reward.label says which is wanted", dir, labels)
	case label != "" && len(labels) == 1:
		return nil, fmt.Errorf("reward.label = %q is for a classifier, and %s is a reward model", label, dir)
	case label != "" && labels[wanted] != label:
		return nil, wrongName("reward.label", label, labels...)
	}
	own, _, err := hub.LoadTokenizers(hub.TokenizerDir(dir))
	if err != nil {
		return nil, fmt.Errorf("reward.model: %w", err)
	}
	if why := differ(tok, own); why != "" {
		return nil, fmt.Errorf("reward.model: %s has another tokenizer than the policy (%s); it must have learned from answers in the policy's tokens", dir, why)
	}
	if c.Model.Config.VocabSize < own.Size() {
		return nil, fmt.Errorf("reward.model: %s has embeddings for %d tokens, but its tokenizer has %d", dir, c.Model.Config.VocabSize, own.Size())
	}
	m := &modelReward{model: c.Model, wanted: wanted, prefix: own.Prefix()}
	m.tape.Pool = pool
	m.model.Store().Pack(pool)
	return m, nil
}

// differ says in what two tokenizers differ, as far as their tokens tell; "" if they do not.
func differ(a, b *tokenizer.Tokenizer) string {
	if a.Size() != b.Size() {
		return fmt.Sprintf("%d tokens against %d", b.Size(), a.Size())
	}
	for id := range int32(a.Size()) {
		x, _ := a.Token(id)
		if y, _ := b.Token(id); x != y {
			return fmt.Sprintf("token %d is %q against %q", id, y, x)
		}
	}
	return ""
}

func (m *modelReward) Judge(ctx context.Context, answers []Answer, rewards []float64) error {
	for _, a := range answers {
		if n, most := len(m.before(a.Prompt))+len(a.Prompt.ids)+len(a.Tokens), m.model.Config.MaxPositions; n > most {
			return fmt.Errorf("reward.model: prompt and answer have %d tokens (%s), and the reward model reads %d; lower rollout.max_tokens", n, a.Prompt.Place, most)
		}
	}
	m.scorer.Each(m.model, &m.tape, len(answers), func(i int) []int32 {
		m.ids = append(append(m.ids[:0], m.before(answers[i].Prompt)...), answers[i].Prompt.ids...)
		m.ids = append(m.ids, answers[i].Tokens...)
		return m.ids
	}, func(i int, scores []float32) { rewards[i] = loss.LogOdds(scores, m.wanted) })
	return ctx.Err()
}

// before is what the model reads before the policy's tokens.
func (m *modelReward) before(p *Prompt) []int32 {
	if p.Messages != nil || len(p.ids) >= len(m.prefix) && slices.Equal(p.ids[:len(m.prefix)], m.prefix) {
		return nil
	}
	return m.prefix
}
