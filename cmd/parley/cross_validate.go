package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-lm/parley/train"
)

// crossValidate trains a reward model for each group and prints how each did on the group that it has not seen.
func (a *app) crossValidate(ctx context.Context, r train.Recipe, options train.Options) error {
	options.Progress = nil // the folds are what is told of
	v, err := train.CrossValidate(ctx, r, options, func(f train.Fold) {
		if !a.quiet {
			fmt.Fprintf(a.err, "%s: accuracy %.4f of %s comparisons, the longer answer %.4f, calibration error %.4f, step %d\n",
				f.Group, f.Accuracy, count(f.Comparisons), f.Longest, f.Calibration, f.Step)
		}
	})
	var stopped *train.Interrupted
	if errors.As(err, &stopped) {
		return fmt.Errorf("%w; the same command goes on", err)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(v)
	}
	fmt.Fprintf(a.out, "groups       %d, each held out once\n", len(v.Folds))
	fmt.Fprintf(a.out, "comparisons  %s\n", count(v.Comparisons))
	fmt.Fprintf(a.out, "accuracy     %.4f\n", v.Accuracy)
	fmt.Fprintf(a.out, "the longer   %.4f, always preferring the longer answer\n", v.Longest)
	return nil
}
