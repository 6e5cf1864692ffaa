package train

import (
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
	"github.com/parley-lm/parley/rl"
	"github.com/parley-lm/parley/tokenizer"
)

// reinforcement is the objective of a policy that learns from the rewards of its own answers: PPO as Ouyang et al. (2022) use
// it, or GRPO (Shao et al. 2024). An epoch is a set of rollouts, drawn when its first batch is asked for, and some passes over
// it in minibatches.
//
// PPO's value head shares the policy's layers. A value model of its own would disturb the policy less (Stiennon et al. 2020),
// but doubles the work of an update and the memory, which here is the larger part of a training; a small weight of the
// value's loss does nearly the same.
type reinforcement struct {
	workplace
	tok       *tokenizer.Tokenizer
	start     *startingModel
	from      string            // hash of its weights
	files     map[string][]byte // of its directory: tokenizer and template, which the policy keeps
	policy    *model.Policy
	reference reference
	ends      []int32
	mixture   *languageModel // text of pre-training; nil without
	reward    Reward
	watched   Reward   // is only measured; nil: none
	prompts   []Prompt // to learn from
	held      []Prompt // to validate on
	before    []string // the reference's answers to those of the held ones that are shown

	writer  *decode.Generator
	asking  []*asking
	layout  layout
	answers []Answer
	scratch []float64

	epoch      int
	drawn      bool // now holds the epoch's rollouts
	now        rollouts
	judged     rollouts // of a validation
	cut        int      // batches of the epoch, if it was cut short; else 0
	stop       string
	controller rl.Controller
	update     update
}

func newReinforcement(ctx context.Context, w workplace) (objective, error) {
	r := &reinforcement{workplace: w}
	if err := r.make(ctx); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *reinforcement) hasValues() bool { return r.recipe.Objective.Kind == ppoKind }

func (r *reinforcement) make(ctx context.Context) error {
	if err := r.open(); err != nil {
		return err
	}
	if err := r.readPrompts(); err != nil {
		return err
	}
	var err error
	if r.reward, err = newReward(r.workplace, r.tok); err != nil {
		return err
	}
	if r.watched, err = newWatched(r.workplace, r.tok); err != nil {
		return err
	}
	p := &r.recipe.Policy
	if p.Pretraining > 0 {
		if err := r.openMixture(ctx); err != nil {
			return err
		}
	}
	r.writer = r.newWriter(r.policy.Decoder)
	r.controller = rl.Controller{Coefficient: p.KL, Target: p.KLTarget, Horizon: p.KLHorizon}
	return nil
}

func (r *reinforcement) newWriter(m *model.Decoder) *decode.Generator {
	o := &r.recipe.Rollout
	return decode.NewGenerator(m, r.pool, decode.GeneratorOptions{Rows: max(o.Rows, o.Group), Prompt: 1024})
}

// open reads the model that is to learn.
func (r *reinforcement) open() error {
	var err error
	if r.start, err = r.recipe.startModel(r.pool); err != nil {
		return err
	}
	if r.tok, err = startTokenizer(hub.ModelDir(r.recipe.Model.From)); err != nil {
		return err
	}
	if v := r.start.model.Config.VocabSize; v < r.tok.Size() {
		return fmt.Errorf("model.from: %s has embeddings for %d tokens, but its tokenizer has %d", r.start.base, v, r.tok.Size())
	}
	if r.ends = r.start.content.Generation.EOSIDs; len(r.ends) == 0 {
		return fmt.Errorf("model.from: %s names no token that ends an answer (eos_token_id), so no answer would ever end", r.start.base)
	}
	if r.files, err = hub.TokenizerFiles(r.start.base); err != nil {
		return err
	}
	if r.from, err = weightsSum(r.start.base); err != nil {
		return err
	}
	if r.start.from != "" {
		sum, err := weightsSum(r.start.from)
		if err != nil {
			return err
		}
		r.from += "+" + sum
	}
	r.policy = model.NewPolicy(r.start.model, r.start.store(), r.hasValues(), r.recipe.Policy.ValueRate)
	if r.reference, err = r.start.newReference(r.pool, r.recipe.Train.Arithmetic == "bf16"); err != nil {
		return err
	}
	if r.start.adapter != nil { // the model itself stays as it is
		r.policy.Store().Pack(r.pool)
	}
	return nil
}

// readPrompts reads what is asked and lays it out as the model reads it. Prompts that leave no room for an answer are left out,
// and counted.
func (r *reinforcement) readPrompts() error {
	all, err := r.promptFiles("data.train", r.recipe.Data.Train)
	if err != nil {
		return err
	}
	switch d := &r.recipe.Data; {
	case len(d.Validation) > 0:
		if r.held, err = r.promptFiles("data.validation", d.Validation); err != nil {
			return err
		}
		r.prompts = all
	case len(d.OpeningWords) > 0:
		for _, p := range all {
			if p.held {
				r.held = append(r.held, p)
			} else {
				r.prompts = append(r.prompts, p)
			}
		}
	default:
		r.prompts, r.held = holdOutPrompts(all, d.HeldOutShare)
	}
	if limit := r.recipe.Data.Limit; limit > 0 && limit < len(r.prompts) {
		r.prompts = r.prompts[:limit]
	}
	if len(r.prompts) == 0 || len(r.held) == 0 {
		return fmt.Errorf("there are %d prompts to learn from and %d to validate on; give more, or data.validation", len(r.prompts), len(r.held))
	}
	if r.recipe.Reward.Kind == "answer" {
		for _, p := range append(r.prompts[:len(r.prompts):len(r.prompts)], r.held...) {
			if p.Answer == "" {
				return fmt.Errorf(`%s: has no "answer", and reward.kind = "answer" compares with it`, p.Place)
			}
		}
	}
	return nil
}

func (r *reinforcement) promptFiles(key string, names []string) (list []Prompt, err error) {
	most, long, template := r.policy.Config.MaxPositions-r.recipe.Rollout.MaxTokens, []string(nil), (*chat.Template)(nil)
	read, err := r.readPromptFiles(key, names)
	if err != nil {
		return nil, err
	}
	for _, p := range read {
		if p.Messages == nil {
			p.ids = r.tok.Append(append([]int32(nil), r.tok.Prefix()...), p.Text)
		} else {
			if template == nil {
				if template, err = r.template(); err != nil {
					return nil, err
				}
				if id, err := template.EndOfTurn(r.tok); err == nil && !slices.Contains(r.ends, id) {
					r.ends = append(slices.Clone(r.ends), id)
				}
			}
			if p.ids, err = template.Prompt(r.tok, p.Messages); err != nil {
				return nil, fmt.Errorf("%s: %w", p.Place, err)
			}
		}
		switch {
		case len(p.ids) > most:
			long = append(long, p.Place)
		case len(p.ids) == 0:
			return nil, fmt.Errorf("%s: the prompt has no tokens", p.Place)
		default:
			list = append(list, p)
		}
	}
	if len(long) > 0 && !r.resumed {
		r.progress.Note(fmt.Sprintf("%d of %d prompts are left out (%s): with an answer of %d tokens they exceed the model's context of %d", len(long), len(long)+len(list), someOf(long), r.recipe.Rollout.MaxTokens, r.policy.Config.MaxPositions))
	}
	return list, nil
}

// someOf names the first few of many places.
func someOf(places []string) string {
	const few = 3
	if len(places) > few {
		return strings.Join(places[:few], ", ") + " …"
	}
	return strings.Join(places, ", ")
}

func (r *reinforcement) tokenizer() *tokenizer.Tokenizer { return r.tok }
func (r *reinforcement) store() *nn.Store                { return r.start.store() }

// fingerprint is of the prompts and of the model from which the training starts.
func (r *reinforcement) fingerprint() string {
	return r.promptsSum() + ", model " + r.from
}

func (r *reinforcement) promptsSum() string {
	asked := fnv.New64a()
	for _, list := range [][]Prompt{r.prompts, r.held} {
		for i := range list {
			binary.Write(asked, binary.LittleEndian, list[i].ids)
			asked.Write([]byte(list[i].Answer))
		}
	}
	return fmt.Sprintf("prompts %016x", asked.Sum64())
}

func (r *reinforcement) changed(began string) error {
	what := "prompts are"
	if strings.HasPrefix(began, r.promptsSum()) {
		what = "model is"
	}
	return fmt.Errorf("the %s not what this run began with (%s; now %s): a resumed run needs the same", what, began, r.fingerprint())
}

func (r *reinforcement) beginEpoch(epoch int) {
	if r.drawn && r.epoch == epoch { // from a checkpoint
		return
	}
	r.epoch, r.drawn, r.cut = epoch, false, 0
}

// perPass is how many updates one pass over the rollouts takes.
func (r *RolloutRecipe) perPass(minibatch int) int { return (r.Answers + minibatch - 1) / minibatch }

func (r *reinforcement) batches() int {
	if r.cut > 0 {
		return r.cut
	}
	p := &r.recipe.Policy
	return p.Epochs * r.recipe.Rollout.perPass(p.Minibatch)
}

// ready draws the rollouts of an epoch.
func (r *reinforcement) ready(ctx context.Context, _ int) error {
	if r.drawn {
		return nil
	}
	o := &r.recipe.Rollout
	seed, each := uint64(r.recipe.Train.Seed), o.Answers/o.Group
	asked := make([]int32, each)
	for i := range asked {
		at := int64(r.epoch)*int64(each) + int64(i)
		order := corpus.NewOrder(int64(len(r.prompts)), seed, int(at/int64(len(r.prompts))))
		asked[i] = int32(order.At(at % int64(len(r.prompts))))
	}
	if err := r.draw(ctx, &r.now, r.prompts, asked, o.Group, mixed(seed+mixed(uint64(r.epoch)+1))); err != nil {
		return err
	}
	r.drawn, r.now.coefficient = true, r.controller.Coefficient
	divergence := r.now.divergence()
	r.controller.Update(divergence, r.now.len())
	r.estimate(&r.now)
	if limit := r.recipe.Policy.KLLimit; limit > 0 && !(divergence <= limit) {
		r.stop = "divergence"
		r.progress.Note(fmt.Sprintf("the policy has left the reference by %.1f nats an answer, more than policy.kl_limit = %g: the training ends, and the best model before that is kept; raise policy.kl or lower train.lr", divergence, limit))
	}
	return nil
}

func (r *reinforcement) ended() string { return r.stop }

func (r *reinforcement) describe(p *Plan) {
	p.TrainPrompts, p.ValidPrompts = len(r.prompts), len(r.held)
	o := &r.recipe.Rollout
	p.StepTokens = min(r.recipe.Policy.Minibatch, o.Answers) * o.MaxTokens // at most
	p.Frozen = r.start.frozen()
	p.FLOPsPerUpdate = decoderFLOPs(r.policy.Decoder, o.MaxTokens, p.Frozen > 0) * float64(p.StepTokens)
}

//go:embed reinforcement.md.tmpl
var reinforcementCardText string

var reinforcementCard = template.Must(template.New("card").Parse(reinforcementCardText))

func (r *reinforcement) card() *template.Template { return reinforcementCard }

// save writes the policy as a model of its own, or as an adapter. The value head is no part of it.
func (r *reinforcement) save(dir string, card []byte) error {
	files := maps.Clone(r.files)
	files["README.md"] = card
	return r.start.save(dir, files)
}

func (r *reinforcement) close() error {
	if r.mixture != nil {
		return r.mixture.close()
	}
	return nil
}
