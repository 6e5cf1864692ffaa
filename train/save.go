package train

import "path/filepath"

// saveBest writes the model directory with the given weights. result is nil while the training goes on.
func (r *run) saveBest(weights []float32, chosen string, score Score, result *Result) error {
	return r.with(weights, func() error {
		return r.task.save(filepath.Join(r.dir, modelDir), r.card(chosen, score, result))
	})
}
