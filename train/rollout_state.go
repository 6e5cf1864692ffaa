package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/parley-lm/parley/hub"
)

// Names of what reinforcement learning keeps in a checkpoint.
const (
	policyFile   = "policy.json"
	rolloutsFile = "rollouts.safetensors"
)

// policyState is policy.json: where the training stands between the rollouts of a checkpoint and the next ones.
type policyState struct {
	Epoch       int     `json:"epoch"`            // whose rollouts these are; -1: none yet
	Batches     int     `json:"batches"`          // of that epoch, if it was cut short; 0: all
	Coefficient float64 `json:"coefficient"`      // of the penalty for leaving the reference, in that epoch
	Next        float64 `json:"next"`             // and in the next one
	Watched     float64 `json:"watched,omitzero"` // of those rollouts
	Spread      float64 `json:"spread,omitzero"`  // standard deviation of what is watched
	Ended       string  `json:"ended,omitempty"`
}

// save writes the rollouts' numbers to a file.
func (o *rollouts) save(path string) error {
	ints := func(name string, n int, of func(i int) int64) hub.Tensor {
		t := hub.Tensor{Name: name, DType: hub.I64, Shape: []int{n}, Int64: make([]int64, n)}
		for i := range n {
			t.Int64[i] = of(i)
		}
		return t
	}
	bits := func(name string, x []float64) hub.Tensor {
		return ints(name, len(x), func(i int) int64 { return int64(math.Float64bits(x[i])) })
	}
	return hub.SaveSafetensors(path, []hub.Tensor{
		ints("prompt", o.len(), func(i int) int64 { return int64(o.prompt[i]) }),
		ints("length", o.len(), func(i int) int64 { return int64(o.starts[i+1] - o.starts[i]) }),
		ints("ended", o.len(), func(i int) int64 { return int64(truth(o.ended[i])) }),
		ints("token", len(o.tokens), func(i int) int64 { return int64(o.tokens[i]) }),
		bits("reward", o.reward), bits("log_prob", o.logProb), bits("reference", o.reference), bits("value", o.value),
	}, map[string]string{"note": "reward, log_prob, reference and value are the bits of float64"})
}

// load reads what save wrote, for so many prompts and tokens of a vocabulary.
func (o *rollouts) load(path string, prompts, vocabulary int) error {
	f, err := hub.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var failed error
	ints := func(name string, length int, most int64) []int64 {
		x, _, err := f.Int64(name)
		if err == nil && length >= 0 && len(x) != length {
			err = fmt.Errorf("%s: tensor %q has %d numbers, must have %d", path, name, len(x), length)
		}
		for _, v := range x {
			if err == nil && most >= 0 && (v < 0 || v > most) {
				err = fmt.Errorf("%s: tensor %q holds %d, must be from 0 to %d", path, name, v, most)
			}
		}
		failed = errors.Join(failed, err)
		return x
	}
	o.reset()
	prompt := ints("prompt", -1, int64(prompts)-1)
	length, ended := ints("length", len(prompt), 1<<24), ints("ended", len(prompt), 1)
	token := ints("token", -1, int64(vocabulary)-1)
	if failed != nil {
		return failed
	}
	for i, p := range prompt {
		o.prompt, o.ended = append(o.prompt, int32(p)), append(o.ended, ended[i] == 1)
		o.starts = o.starts.Add(int(length[i]))
	}
	for _, t := range token {
		o.tokens = append(o.tokens, int32(t))
	}
	floats := func(name string, length int) (out []float64) {
		for _, b := range ints(name, length, -1) {
			out = append(out, math.Float64frombits(uint64(b)))
		}
		return out
	}
	n := o.starts.Rows()
	o.reward, o.logProb = floats("reward", o.len()), floats("log_prob", n)
	o.reference, o.value = floats("reference", n), floats("value", n)
	if len(o.tokens) != n {
		failed = errors.Join(failed, fmt.Errorf("%s: %d tokens of answers of %d", path, len(o.tokens), n))
	}
	return failed
}

func (r *reinforcement) saveState(dir string) error {
	s := policyState{Epoch: -1, Batches: r.cut, Coefficient: r.now.coefficient, Next: r.controller.Coefficient, Ended: r.stop}
	if r.drawn {
		s.Epoch = r.epoch
		if r.watched != nil {
			s.Watched, s.Spread = r.now.watch, r.now.spread
		}
		if err := r.now.save(filepath.Join(dir, rolloutsFile)); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, policyFile), append(text, '\n'), 0o666)
}

func (r *reinforcement) restoreState(dir string) error {
	path := filepath.Join(dir, policyFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var s policyState
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.Batches < 0 || !(s.Next >= 0) {
		return fmt.Errorf("%s: damaged: %d batches, coefficient %g", path, s.Batches, s.Next)
	}
	r.controller.Coefficient, r.stop = s.Next, s.Ended
	if s.Epoch < 0 {
		return nil
	}
	if err := r.now.load(filepath.Join(dir, rolloutsFile), len(r.prompts), r.policy.Config.VocabSize); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: the rollouts are missing: %w", dir, err)
		}
		return err
	}
	if n := r.now.len(); n != r.recipe.Rollout.Answers {
		return fmt.Errorf("the checkpoint holds %d rollouts, and rollout.answers is %d; it can change only between epochs", n, r.recipe.Rollout.Answers)
	}
	r.epoch, r.cut, r.drawn, r.now.coefficient = s.Epoch, s.Batches, true, s.Coefficient
	if r.now.watch = math.NaN(); r.watched != nil {
		r.now.watch, r.now.spread = s.Watched, s.Spread
	}
	r.estimate(&r.now)
	return nil
}
