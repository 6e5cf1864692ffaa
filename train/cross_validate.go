package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Fold is one training of a cross-validation, and its test on the group that it has not seen.
type Fold struct {
	Group       string  `json:"group"`
	Comparisons int     `json:"comparisons"`
	Accuracy    float64 `json:"accuracy"`
	Longest     float64 `json:"longest"` // accuracy of always preferring the longer answer
	Calibration float64 `json:"calibration_error"`
	Step        int     `json:"step"` // of the model that was chosen, on the validation prompts of the other groups
}

// CrossValidation is what all folds together came to; each comparison counts once.
type CrossValidation struct {
	Folds       []Fold  `json:"folds"`
	Comparisons int     `json:"comparisons"`
	Accuracy    float64 `json:"accuracy"`
	Longest     float64 `json:"longest"`
}

// CrossValidate trains a reward model for each group of data.group_field on the prompts of all others, and tests it on that
// group's. Each is a run of its own below o.Out; those that are finished or were interrupted are taken up again. done is told of
// each fold.
func CrossValidate(ctx context.Context, r Recipe, o Options, done func(Fold)) (*CrossValidation, error) {
	if err := r.Resolve(); err != nil {
		return nil, err
	}
	if r.Objective.Kind != rewardKind || r.Data.GroupField == "" || len(r.Data.TestGroups) > 0 {
		return nil, errors.New(`cross-validation is for objective.kind = "reward" with data.group_field, the key of what is held out together, and without data.test_groups`)
	}
	if o.Out == "" {
		return nil, errors.New("train: no directory for the runs (--out DIR)")
	}
	w := workplace{recipe: &r, resumed: true}
	all, err := w.readPreferenceFiles("data.train", r.Data.Train)
	if err != nil {
		return nil, err
	}
	v := &CrossValidation{}
	out := o.Out
	for i, group := range all.Groups() {
		o.Out = filepath.Join(out, fmt.Sprintf("%02d", i+1))
		fold, err := r.fold(ctx, o, group)
		if err != nil {
			return nil, fmt.Errorf("group %q: %w", group, err)
		}
		done(fold)
		v.add(fold)
	}
	return v, nil
}

// fold trains and tests one model.
func (r Recipe) fold(ctx context.Context, o Options, group string) (Fold, error) {
	r.Data.TestGroups = []string{group}
	carryOut := func() (*Result, error) { return Start(ctx, r, o) }
	if exists(filepath.Join(o.Out, recipeFile)) {
		carryOut = func() (*Result, error) { return Resume(ctx, o.Out, o) }
	} else if err := os.MkdirAll(filepath.Dir(o.Out), 0o777); err != nil {
		return Fold{}, err
	}
	result, err := carryOut()
	if err != nil {
		return Fold{}, err
	}
	if len(result.Tests) == 0 {
		return Fold{}, fmt.Errorf("%s holds a run without a test", o.Out)
	}
	m := result.Tests[0].Measures
	return Fold{
		Group: group, Comparisons: int(m.Of("comparisons")), Accuracy: m.Of("accuracy"), Longest: m.Of("accuracy of the longest"),
		Calibration: m.Of("calibration error"), Step: result.Validation.Step,
	}, nil
}

// add takes a fold into the means.
func (v *CrossValidation) add(f Fold) {
	n := float64(v.Comparisons)
	v.Folds = append(v.Folds, f)
	v.Comparisons += f.Comparisons
	all := float64(max(1, v.Comparisons))
	v.Accuracy = (v.Accuracy*n + f.Accuracy*float64(f.Comparisons)) / all
	v.Longest = (v.Longest*n + f.Longest*float64(f.Comparisons)) / all
}
