package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/eval"
)

func (a *app) evalCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "eval",
		Short: "Measure models and their outputs: translations against references, language models on text and questions, classifiers, reward models",
		Long: `Scores translations against references (BLEU, chrF, TER, and whether two systems differ), language models by how well they
predict text and find right answers, classifiers on labelled texts, and reward models on preferences.`,
		Example: `  parley eval bleu --ref test.fr output.fr
  parley eval all --ref test.fr baseline.fr better.fr
  parley eval perplexity -m DIR book.txt
  parley eval choice -m DIR questions.jsonl
  parley eval classify -m runs/classify test.jsonl
  parley eval reward -m runs/reward held-out.jsonl`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	for _, m := range []struct {
		name, short, example string
		metrics              func(o *metricFlags) []corpusMetric
	}{
		{"bleu", "BLEU (Papineni et al. 2002), as sacrebleu computes it", "  parley eval bleu --ref test.fr output.fr\n  parley eval bleu --tokenize none --ref test.tok.fr baseline.fr better.fr     # with significance",
			func(o *metricFlags) []corpusMetric { return []corpusMetric{o.bleu()} }},
		{"chrf", "chrF and chrF++ (Popović 2015, 2017)", "  parley eval chrf --ref test.fr output.fr\n  parley eval chrf --words 2 --ref test.fr output.fr",
			func(o *metricFlags) []corpusMetric { return []corpusMetric{o.chrf()} }},
		{"ter", "Translation edit rate (Snover et al. 2006)", "  parley eval ter --ref test.fr output.fr",
			func(o *metricFlags) []corpusMetric { return []corpusMetric{o.ter()} }},
		{"all", "BLEU, chrF and TER together", "  parley eval all --ref test.fr baseline.fr better.fr",
			func(o *metricFlags) []corpusMetric { return []corpusMetric{o.bleu(), o.chrf(), o.ter()} }},
	} {
		c.AddCommand(a.metricCommand(m.name, m.short, m.example, m.metrics))
	}
	c.AddCommand(a.perplexityCommand(), a.choiceCommand(), a.evalClassifyCommand(), a.evalRewardCommand(), a.evalChatCommand(), a.evalContinueCommand())
	return c
}

// corpusMetric is a metric that can also score without resampling.
type corpusMetric interface {
	eval.Metric
	Corpus(hyps []string, refs [][]string) (eval.Score, error)
}

// metricFlags are the options of the metrics; those that a metric does not have are not registered for it.
type metricFlags struct {
	references    []string
	tabs          bool // several references in a line
	tokenize      string
	smoothing     string
	smoothValue   float64
	effective     bool
	lowercase     bool
	words, chars  int
	normalized    bool
	noPunct       bool
	caseSensitive bool
	asian         bool

	test    string
	samples int
	seed    uint64
}

func (o *metricFlags) bleu() corpusMetric {
	return eval.BLEU{Tokenize: o.tokenize, Lowercase: o.lowercase, Smoothing: eval.Smoothing(o.smoothing), SmoothValue: o.smoothValue, EffectiveOrder: o.effective}
}

func (o *metricFlags) chrf() corpusMetric {
	return eval.CHRF{WordOrder: o.words, CharOrder: o.chars, Lowercase: o.lowercase}
}

func (o *metricFlags) ter() corpusMetric {
	return eval.TER{Normalized: o.normalized, NoPunct: o.noPunct, CaseSensitive: o.caseSensitive, AsianSupport: o.asian}
}

func (a *app) metricCommand(name, short, example string, metrics func(*metricFlags) []corpusMetric) *cobra.Command {
	o := &metricFlags{}
	c := &cobra.Command{
		Use:   name + " --ref REFERENCES [--ref MORE] OUTPUT [OUTPUT...]",
		Short: short,
		Long: short + `.

Every file has one sentence a line; "-" is standard input. A sentence has as many references as there are files of them or, with
--ref-tabs, as its line has fields: not every sentence need have the same number. With several outputs the first is the
baseline, and the others are compared with it by paired bootstrap resampling (Koehn 2004) or approximate randomization.`,
		Example: example,
		Args:    arguments(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, outputs []string) error {
			return a.score(c.Context(), metrics(o), o, outputs)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.references, "ref", nil, "file of references; repeat it for several references of each sentence")
	c.MarkFlagRequired("ref")
	f.BoolVar(&o.tabs, "ref-tabs", false, "a line of references holds several, with tabs between them, as many as there are")
	if name == "bleu" || name == "all" {
		f.StringVar(&o.tokenize, "tokenize", "13a", strings.Join(eval.Tokenizers(), ", "))
		f.StringVar(&o.smoothing, "smooth", "exp", "none, floor, add-k or exp")
		f.Float64Var(&o.smoothValue, "smooth-value", 0, "for floor (0: 0.1) and add-k (0: 1)")
		f.BoolVar(&o.effective, "effective-order", false, "leave out n-grams longer than the sentences")
	}
	if name != "ter" {
		f.BoolVar(&o.lowercase, "lowercase", false, "compare lower-cased text")
	}
	if name == "chrf" || name == "all" {
		f.IntVar(&o.words, "words", 0, "word n-grams: 2 gives chrF++")
		f.IntVar(&o.chars, "chars", 6, "character n-grams")
	}
	if name == "ter" || name == "all" {
		f.BoolVar(&o.normalized, "normalized", false, "cut punctuation off words first")
		f.BoolVar(&o.noPunct, "no-punct", false, "leave out punctuation")
		f.BoolVar(&o.caseSensitive, "case-sensitive", false, "do not lower-case")
		f.BoolVar(&o.asian, "asian", false, "with --normalized and --no-punct, also for Chinese and Japanese")
	}
	f.StringVar(&o.test, "test", "bootstrap", "how systems are compared: bootstrap or randomization")
	f.IntVar(&o.samples, "samples", 0, "resamples or trials (0: 1,000 and 10,000); with one output, a positive number adds a confidence interval")
	f.Uint64Var(&o.seed, "test-seed", eval.DefaultSeed, "where the resampling starts; the default is sacrebleu's")
	return c
}

// score reads the files, scores every output and prints a line for each score.
func (a *app) score(ctx context.Context, metrics []corpusMetric, o *metricFlags, outputs []string) error {
	files, err := a.readAligned(ctx, append(slices.Clone(o.references), outputs...))
	if err != nil {
		return err
	}
	references := files[:len(o.references)]
	if o.tabs {
		references = splitReferences(references)
	}
	systems := make([]eval.System, len(outputs))
	for i, path := range outputs {
		systems[i] = eval.System{Name: path, Hypotheses: files[len(o.references)+i]}
	}
	compared, err := compareSystems(metrics, references, systems, o)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(compared)
	}
	for _, c := range compared {
		for _, s := range c.Scores {
			line := s.String()
			if s.P != nil {
				line += fmt.Sprintf(" (p = %.4f against %s)", *s.P, systems[0].Name)
			}
			if len(systems) > 1 {
				line = c.System + ": " + line
			}
			fmt.Fprintln(a.out, line)
		}
	}
	return nil
}

// splitReferences cuts lines at tabs; empty fields are no references, unless there is nothing else.
func splitReferences(files [][]string) [][]string {
	lists := make([][]string, len(files[0]))
	for i := range lists {
		for _, lines := range files {
			for field := range strings.SplitSeq(lines[i], "\t") {
				if strings.TrimSpace(field) != "" {
					lists[i] = append(lists[i], field)
				}
			}
		}
		if len(lists[i]) == 0 {
			lists[i] = []string{""}
		}
	}
	return eval.Streams(lists)
}

func compareSystems(metrics []corpusMetric, references [][]string, systems []eval.System, o *metricFlags) ([]eval.Compared, error) {
	samples := o.samples
	additive := make([]eval.Metric, len(metrics))
	for i, m := range metrics {
		additive[i] = m
	}
	switch {
	case samples < 0:
		return nil, usagef("--samples %d: must not be negative", samples)
	case o.test != "bootstrap" && o.test != "randomization":
		return nil, usagef("--test %q: must be bootstrap or randomization", o.test)
	case len(systems) == 1 && samples == 0:
		c := eval.Compared{System: systems[0].Name}
		for _, m := range metrics {
			s, err := m.Corpus(systems[0].Hypotheses, references)
			if err != nil {
				return nil, err
			}
			c.Scores = append(c.Scores, eval.PairedScore{Score: s})
		}
		return []eval.Compared{c}, nil
	case o.test == "randomization":
		if samples == 0 {
			samples = 10000
		}
		return eval.PairedRandomization(additive, references, systems, samples, 1000, o.seed)
	}
	if samples == 0 {
		samples = 1000
	}
	return eval.PairedBootstrap(additive, references, systems, samples, o.seed)
}

// readAligned reads files whose lines belong together.
func (a *app) readAligned(ctx context.Context, paths []string) ([][]string, error) {
	if first := slices.Index(paths, "-"); first >= 0 && slices.Contains(paths[first+1:], "-") {
		return nil, usagef("standard input (-) can be read only once")
	}
	files := make([][]string, len(paths))
	for i, path := range paths {
		lines, err := a.readLines(ctx, path)
		if err != nil {
			return nil, err
		}
		if files[i] = lines; len(lines) != len(files[0]) {
			return nil, fmt.Errorf("%s has %d lines, but %s has %d: line by line they must be the same sentences",
				paths[0], len(files[0]), path, len(lines))
		}
	}
	return files, nil
}

func (a *app) readLines(ctx context.Context, path string) ([]string, error) {
	if path != "-" {
		return corpus.ReadLines(path)
	}
	return corpus.ReadLinesFrom("standard input", a.input(ctx))
}
