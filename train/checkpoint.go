package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/nn"
)

// Names in a run directory.
const (
	recipeFile     = "recipe.toml"
	metricsFile    = "metrics.jsonl"
	reportFile     = "report.html"
	resultFile     = "result.json"
	vocabularyFile = "tokenizer.json"
	modelDir       = "model"
	checkpointsDir = "checkpoints"
	tokensDir      = "tokens"
	inputFile      = "input.txt"
	generatedFile  = "generated.jsonl"
	latestFile     = "latest"

	weightsFile   = "model.safetensors"
	averageFile   = "average.safetensors"
	optimizerFile = "optimizer.safetensors"
	stateFile     = "state.json"
)

// state is where a run stands, apart from weights and moments. Everything that decides how it goes on is here.
type state struct {
	Step      int    `json:"step"`      // updates done
	Epoch     int    `json:"epoch"`     // from 0
	Batch     int    `json:"batch"`     // the next one in the epoch
	Validated int    `json:"validated"` // step of the last validation
	Best      *Score `json:"best,omitempty"`
	Worse     int    `json:"worse"`  // validations since the best
	Window    []int  `json:"window"` // steps of the last validations, whose weights will be averaged

	Sentences    int64   `json:"sentences"`     // seen so far
	TargetTokens int64   `json:"target_tokens"` // seen so far
	Seconds      float64 `json:"seconds"`       // spent so far
	MetricsBytes int64   `json:"metrics_bytes"` // length of metrics.jsonl that belongs to this state
	Data         string  `json:"data"`          // fingerprint of the sentences
	ISA          string  `json:"isa"`           // instruction set of the kernels
}

// saveCheckpoint writes weights, moments and state after the present step; `latest` then names it, and what is no longer
// needed is removed. If it fails the checkpoint before is untouched.
func (r *run) saveCheckpoint() error {
	if err := r.metrics.sync(); err != nil {
		return err
	}
	s := r.state
	s.MetricsBytes = r.metrics.bytes
	root := filepath.Join(r.dir, checkpointsDir)
	name := strconv.Itoa(s.Step)
	err := hub.WriteDirAtomic(filepath.Join(root, name), func(tmp string) error {
		if err := writeSlab(filepath.Join(tmp, weightsFile), r.store, r.store.Values(), ""); err != nil {
			return err
		}
		if r.average != nil {
			if err := writeSlab(filepath.Join(tmp, averageFile), r.store, r.average, ""); err != nil {
				return err
			}
		}
		moments := append(slabTensors(r.store, r.optimizer.m, "m."), slabTensors(r.store, r.optimizer.v, "v.")...)
		if err := hub.SaveSafetensors(filepath.Join(tmp, optimizerFile), moments, nil); err != nil {
			return err
		}
		if err := r.task.saveState(tmp); err != nil {
			return err
		}
		text, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(tmp, stateFile), text, 0o666)
	})
	if err != nil {
		return err
	}
	if err := hub.WriteBytesAtomic(filepath.Join(root, latestFile), []byte(name+"\n")); err != nil {
		return err
	}
	r.saved = s.Step
	return r.prune()
}

// prune removes checkpoints that nothing needs any more. Of those that may still be averaged or be the best one, the
// weights stay.
func (r *run) prune() error {
	root := filepath.Join(r.dir, checkpointsDir)
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		step, err := strconv.Atoi(e.Name())
		path := filepath.Join(root, e.Name())
		wanted := slices.Contains(r.state.Window, step) || r.state.Best != nil && r.state.Best.Step == step
		switch {
		case e.Name() == latestFile || err == nil && step == r.saved:
			continue
		case err == nil && wanted:
			for _, name := range []string{optimizerFile, rolloutsFile} {
				if err = os.Remove(filepath.Join(path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					break
				}
			}
		default:
			err = os.RemoveAll(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// latestCheckpoint returns the directory of the last whole checkpoint; "" where there is none yet.
func latestCheckpoint(dir string) (string, error) {
	path := filepath.Join(dir, checkpointsDir, latestFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	name := strings.TrimSpace(string(text))
	if _, err := strconv.Atoi(name); err != nil {
		return "", fmt.Errorf("%s: must be the number of a checkpoint, not %.40q", path, name)
	}
	return filepath.Join(dir, checkpointsDir, name), nil
}

// restore fills weights, moments and state from a checkpoint, which must be of the same data.
func (r *run) restore(checkpoint string) error {
	text, err := os.ReadFile(filepath.Join(checkpoint, stateFile))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &r.state); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(checkpoint, stateFile), err)
	}
	if s := &r.state; min(s.Step, s.Epoch, s.Batch, s.Validated) < 0 || s.Validated > 0 && s.Best == nil {
		return fmt.Errorf("%s: damaged: step %d, epoch %d, batch %d, validated at %d", filepath.Join(checkpoint, stateFile), s.Step, s.Epoch, s.Batch, s.Validated)
	}
	if err := readSlab(filepath.Join(checkpoint, weightsFile), r.store, r.store.Values(), ""); err != nil {
		return err
	}
	if r.average != nil {
		if err := readSlab(filepath.Join(checkpoint, averageFile), r.store, r.average, ""); err != nil {
			return err
		}
	}
	moments := filepath.Join(checkpoint, optimizerFile)
	if err := readSlab(moments, r.store, r.optimizer.m, "m."); err != nil {
		return err
	}
	if err := readSlab(moments, r.store, r.optimizer.v, "v."); err != nil {
		return err
	}
	if r.state.Data != r.task.fingerprint() {
		return r.task.changed(r.state.Data)
	}
	r.saved = r.state.Step
	return r.task.restoreState(checkpoint)
}

// slabTensors names the parts of a slab that has the layout of the store's values.
func slabTensors(s *nn.Store, slab []float32, prefix string) []hub.Tensor {
	tensors := make([]hub.Tensor, 0, len(s.Params()))
	for _, p := range s.Params() {
		at := s.Offset(p)
		tensors = append(tensors, hub.Tensor{Name: prefix + p.Name, DType: hub.F32, Shape: p.Shape, Float32: slab[at : at+p.Size()]})
	}
	return tensors
}

func writeSlab(path string, s *nn.Store, slab []float32, prefix string) error {
	return hub.SaveSafetensors(path, slabTensors(s, slab, prefix), nil)
}

// readSlab fills a slab from a file that writeSlab made.
func readSlab(path string, s *nn.Store, slab []float32, prefix string) error {
	f, err := hub.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, t := range slabTensors(s, slab, prefix) {
		if info, ok := f.Info(t.Name); ok && !slices.Equal(info.Shape, t.Shape) {
			return fmt.Errorf("%s: %s has shape %v, but the recipe's model has %v", path, t.Name, info.Shape, t.Shape)
		}
		if err := f.ReadFloat32(t.Name, t.Float32); err != nil {
			return err
		}
	}
	return nil
}
