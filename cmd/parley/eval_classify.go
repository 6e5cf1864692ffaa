package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/judge"
)

func (a *app) evalClassifyCommand() *cobra.Command {
	var model string
	var decisions bool
	files := corpus.LabelledFiles{}
	c := &cobra.Command{
		Use:   "classify -m DIR FILE [FILE...]",
		Short: "Accuracy and calibration of a text classifier on labelled texts",
		Long: `Label texts whose labels are known, and print how often the classifier is right, with a 95 % confidence interval, which
labels it confuses, and whether its probabilities mean what they say (reliability, expected calibration error).

FILE is a .jsonl of {"text": …, "label": …}, a .tsv or .csv with such columns, a directory with one for each label, or
such a directory in a tar archive. The model is a run of parley train classify, or any …ForSequenceClassification.`,
		Example: `  parley eval classify -m runs/classify test.jsonl
  parley eval classify -m runs/imdb aclImdb.tar.gz/aclImdb/test --labels neg,pos
  parley eval classify -m runs/classify test.tsv --field sentence --decisions`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			j, err := judge.Open(model, a.threads)
			if err != nil {
				return err
			}
			defer j.Close()
			texts, err := files.Read(names)
			if err != nil {
				return err
			}
			result, list, err := j.Classify(texts)
			if err != nil {
				return err
			}
			switch {
			case decisions:
				return a.printDecisions(list)
			case a.json:
				return a.printJSON(result)
			}
			if !a.quiet {
				for _, note := range texts.Notes() {
					fmt.Fprintln(a.err, note)
				}
			}
			return a.printClassification(result)
		},
	}
	f := c.Flags()
	f.StringVarP(&model, "model", "m", "", "model directory or run")
	c.MarkFlagRequired("model")
	f.StringVar(&files.Field, "field", "text", "key or column of the text")
	f.StringVar(&files.LabelField, "label-field", "label", "key or column of the label")
	f.StringSliceVar(&files.Labels, "labels", nil, "read texts of these labels only")
	f.BoolVar(&decisions, "decisions", false, "print the label and its probability for each text instead, a JSON object a line")
	return c
}

func (a *app) printDecisions(list []judge.Decision) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	for _, d := range list {
		if err := e.Encode(d); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printClassification(c judge.Classification) error {
	fmt.Fprintf(a.out, "accuracy           %.4f (%.4f to %.4f) of %s texts\n", c.Accuracy, c.Interval[0], c.Interval[1], count(c.Texts))
	fmt.Fprintf(a.out, "loss               %.4f\n", c.Loss)
	fmt.Fprintf(a.out, "calibration error  %.4f\n", c.CalibrationError)
	if c.Cut > 0 {
		fmt.Fprintf(a.out, "too long           %s texts, of which a part was read\n", count(c.Cut))
	}
	fmt.Fprintf(a.out, "\n%s\n", &c.Calibration)
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "label \\ given\t")
	for _, label := range c.Labels {
		fmt.Fprintf(w, "%s\t", label)
	}
	for i, row := range c.Confusion {
		fmt.Fprintf(w, "\n%s\t", c.Labels[i])
		for _, n := range row {
			fmt.Fprintf(w, "%d\t", n)
		}
	}
	fmt.Fprintln(w)
	return w.Flush()
}
