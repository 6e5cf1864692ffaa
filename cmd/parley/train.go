package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/quickstart"
	"github.com/parley-lm/parley/train"
)

// trainFlags are the choices that have a flag of their own; everything else is --set.
type trainFlags struct {
	data, valid, test  string
	out, resume, from  string
	source, target     string
	prompts, reward    string
	size               string
	depth              int
	reverse            bool
	origin, licence    string
	set                []string
	dryRun, showRecipe bool
	crossValidate      bool
}

func (a *app) trainCommand() *cobra.Command {
	o := &trainFlags{}
	c := &cobra.Command{
		Use:   "train RECIPE",
		Short: "Train a model by a recipe",
		Long: `Train a model by a recipe: one that comes with the program (` + strings.Join(train.Recipes(), ", ") + `)
or a TOML file of your own.

The run directory holds the resolved recipe, checkpoints, metrics.jsonl, report.html to watch in a browser, and model/,
the best model in the Hugging Face layout. A run that was stopped, by Ctrl-C or by anything else, goes on with --resume
and ends with the same bits as if it had not been.

A language model (lm, shakespeare, shakespeare-char) learns from your own text: --data takes files, directories or patterns of plain
text, JSONL, CSV or Parquet, compressed with gzip or Zstandard or not, with commas between them, or - for standard input.
One number, --depth, sets its size and how long it trains; --dry-run says what that comes to. With -m a model goes on
learning, one that you trained or that was published for transformers. lora leaves it as it is and trains an adapter of
a few megabytes beside it, in less memory and time; model/ is then an adapter's directory in the layout of PEFT.

An assistant (sft) is a language model that goes on learning from dialogues: -m says which, and --data takes JSONL or JSON
with "messages" (OpenAI, TRL), "conversations" (ShareGPT) or "instruction" and "output" (Alpaca). Only what the assistant
says is learned. Dialogues that do not fit into the context, or do not alternate, are left out, counted and named.

A classifier (classify) learns labels from texts: --data takes a .jsonl of {"text": …, "label": …}, a .tsv or .csv with such
columns, a directory with one for each label, or such a directory in a tar archive.

A reward model (reward) learns what people prefer, and dpo tunes a model to it directly: --data takes a .jsonl of {"prompt": …,
"chosen": …, "rejected": …} or of rankings, {"prompt": …, "answers": […], "ranks": [2, 1, 2]}. With --set lora.rank=8 an adapter
learns beside the model, for a reward model or a classifier together with its head.

ppo and grpo teach the model of -m by rewarding its answers to the prompts of --prompts: lines of text, or JSONL with
"messages" or "prompt". --reward is the directory of a reward model, or with --set reward.label of a text classifier that is to
find this label, or answer (1 where the answer is the "answer" of the prompt's line), contains (1 where --set reward.text
occurs), length (how near to --set reward.tokens), or for questions of the sandbox sandbox (1 where the answer is right) and
sandbox-judge (what it is worth to the judge). With --set lora.rank=8 an adapter learns, and model and reference share their
weights.

A translator learns from your own sentences: --data takes two files with a comma between them (line i of the one translates line i of the
other), a .tsv with two columns, or a .jsonl; any of them may be gzipped. Without --valid some pairs are held out.`,
		Example: `  parley train multi30k --data ../shared/data/multi30k
  parley train translate --data train.en,train.fr --out runs/mine
  parley train translate --data pairs.tsv --source de --target en --size small
  parley train translate --data more.jsonl --from runs/mine/model --out runs/mine-2
  parley train lm --data my.txt --depth 4 --dry-run
  parley train lm --data 'stories/*.jsonl.zst' --depth 6 --set data.field=body --out runs/stories
  parley train sft -m runs/lm --data talks.jsonl --out runs/assistant
  parley train sft -m DIR --data talks.jsonl --set lora.rank=16 --set lora.alpha=32
  parley train lora -m DIR --data my.jsonl --out runs/mine
  parley train lm -m DIR --data my.jsonl --out runs/mine-whole
  parley train classify --data reviews.tsv --set data.field=sentence
  parley train reward -m runs/sft --data prefs.jsonl
  parley train dpo -m runs/sft --data prefs.jsonl
  parley train ppo -m runs/sft --reward runs/reward --prompts prompts.jsonl --set policy.kl_target=6
  parley train imdb-ppo -m runs/imdb-lm --reward runs/imdb --data DIR
  parley train grpo -m runs/sft --reward answer --prompts questions.jsonl --set rollout.max_tokens=32
  parley train multi30k --data DIR --set train.lr=0.003 --set model.dropout=0.2 --dry-run
  parley train --resume runs/mine`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			collectGarbage(often)
			options := train.Options{Out: o.out, Threads: a.threads, Progress: a.progress(), Input: a.in, Generate: quickstart.Pairs, GenerateText: quickstart.Text, Rewards: quickstart.Rewards(), Set: o.set}
			if o.resume != "" {
				if err := checkResume(c, args, o.set); err != nil {
					return err
				}
				return a.finish(train.Resume(c.Context(), o.resume, options))
			}
			if len(args) == 0 {
				return usagef("which recipe? one of %s, or a file; see parley train --help", strings.Join(train.Recipes(), ", "))
			}
			r, err := o.recipe(args[0])
			if err != nil {
				return err
			}
			if c.Flags().Changed("seed") {
				r.Train.Seed = int(a.seed)
			}
			switch {
			case o.showRecipe:
				if err := r.Resolve(); err != nil {
					return err
				}
				_, err := a.out.Write(r.TOML())
				return err
			case o.dryRun:
				plan, err := train.DryRun(c.Context(), r, options)
				if err != nil {
					return err
				}
				return a.printPlan(plan)
			}
			if options.Out == "" {
				options.Out = filepath.Join("runs", r.Name)
			}
			if o.crossValidate {
				return a.crossValidate(c.Context(), r, options)
			}
			return a.finish(train.Start(c.Context(), r, options))
		},
	}
	f := c.Flags()
	f.StringVar(&o.data, "data", "", "directory of the recipe's files; or your own: SOURCE,TARGET or FILE.tsv or FILE.jsonl; or any text")
	f.StringVar(&o.valid, "valid", "", "validation pairs, in the same forms")
	f.StringVar(&o.test, "test", "", "test pairs, scored once at the end, in the same forms")
	f.StringVarP(&o.out, "out", "o", "", "run directory (default runs/RECIPE)")
	f.StringVar(&o.resume, "resume", "", "go on with the run in this directory")
	f.StringVar(&o.from, "from", "", "start from this trained model or run instead of from nothing")
	f.StringVarP(&o.from, "model", "m", "", "the same: the model to go on with, or that an adapter is for")
	f.StringVar(&o.prompts, "prompts", "", "of ppo and grpo: what the model is asked, text or JSONL; - for standard input")
	f.StringVar(&o.reward, "reward", "", "of ppo and grpo: directory of a reward model, or "+strings.Join(rewardKinds(), ", "))
	f.StringVar(&o.source, "source", "", "language to translate from, as a code such as en")
	f.StringVar(&o.target, "target", "", "language to translate to")
	f.BoolVar(&o.reverse, "reverse", false, "translate from the second side of the data to the first")
	f.StringVar(&o.size, "size", "", "of a translator: micro, tiny, small or base")
	f.IntVar(&o.depth, "depth", 0, "of a language model: its layers, from which all other sizes follow")
	f.StringVar(&o.origin, "origin", "", "where the data comes from, for the model card")
	f.StringVar(&o.licence, "licence", "", "terms of the data, for the model card")
	f.StringArrayVar(&o.set, "set", nil, "change any field of the recipe: --set train.lr=0.003")
	f.BoolVar(&o.dryRun, "dry-run", false, "print parameters, memory, operations and time, and do nothing")
	f.BoolVar(&o.crossValidate, "cross-validate", false, "of a reward model: train one for each group of data.group_field and test it on that group")
	f.BoolVar(&o.showRecipe, "print-recipe", false, "print the resolved recipe, and do nothing")
	return c
}

// How far the heap may grow beyond what is in use before garbage is collected, in percent.
const (
	// often keeps the heap of a training small: activations live in arenas that are made once, so a collection has little to
	// find. A program that only translates starts faster without.
	often = 25
	// rarely is for much that is made and forgotten in a small heap, such as generated texts.
	rarely = 400
)

// collectGarbage decides when that is done, unless the environment does.
func collectGarbage(growth int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(growth)
	}
}

// finish prints what a run has come to.
func (a *app) finish(result *train.Result, err error) error {
	var stopped *train.Interrupted
	if errors.As(err, &stopped) {
		return fmt.Errorf("%w; go on with: parley train --resume %s", err, stopped.Dir)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(result)
	}
	fmt.Fprintf(a.out, "model:      %s (%s)\n", result.Model, result.Chosen)
	fmt.Fprintf(a.out, "validation: loss %.4f", result.Validation.Loss)
	if result.Validation.BLEU >= 0 {
		fmt.Fprintf(a.out, ", BLEU %.2f", result.Validation.BLEU)
	}
	languageModel := result.Validation.BitsPerByte > 0
	if languageModel {
		fmt.Fprintf(a.out, ", %.4f bits per byte", result.Validation.BitsPerByte)
	}
	if len(result.Validation.Measures) > 0 {
		fmt.Fprintf(a.out, ", %s", measures(result.Validation.Measures))
	}
	fmt.Fprintln(a.out)
	for _, t := range result.Tests {
		if len(t.Measures) > 0 {
			fmt.Fprintf(a.out, "test:       %s: %s (%s texts)\n", t.Name, measures(t.Measures), count(t.Sentences))
			continue
		}
		fmt.Fprintf(a.out, "test:       %s: BLEU %.2f (%s), chrF %.2f, %.1f %% of %s sentences exact\n", t.Name, t.BLEU, t.Signature, t.ChrF, t.Exact, count(t.Sentences))
	}
	fmt.Fprintf(a.out, "report:     %s\n", filepath.Join(result.Dir, "report.html"))
	learnsFromPreferences := result.Kind == "preference" || result.Kind == "ppo" || result.Kind == "grpo"
	try := `echo "…" | parley translate -m ` + result.Dir
	switch {
	case result.Kind == "reward":
		try = `parley eval reward -m ` + result.Dir + ` FILE`
	case result.Kind == "classification":
		try = `parley eval classify -m ` + result.Dir + ` FILE`
	case result.Kind == "dialogue" || learnsFromPreferences && talks(result.Model):
		try = `parley chat -m ` + result.Dir
	case languageModel || learnsFromPreferences: // an adapter finds its base model by itself
		try = `parley generate -m ` + result.Dir + ` --prompt "…"`
	}
	fmt.Fprintln(a.out, "try it:    ", try)
	return nil
}

// talks reports whether a model comes with a chat template.
func talks(dir string) bool {
	template, err := hub.LoadChatTemplate(dir)
	return err == nil && template != nil
}

func (a *app) printPlan(p *train.Plan) error {
	if a.json {
		return a.printJSON(p)
	}
	frozen := ""
	if p.Frozen > 0 {
		frozen = fmt.Sprintf(", beside %s that stay as they are", count(p.Frozen))
	}
	fmt.Fprintf(a.out, "parameters  %s%s\n", count(p.Parameters), frozen)
	fmt.Fprintf(a.out, "vocabulary  %s\n", count(p.Vocabulary))
	switch {
	case p.TrainPrompts > 0:
		fmt.Fprintf(a.out, "data        %s prompts to learn from, %s to validate on\n", count(p.TrainPrompts), count(p.ValidPrompts))
		fmt.Fprintf(a.out, "updates     %s of %s tokens at most, %d for each set of answers\n", count(p.Updates), count(p.StepTokens), p.Batches)
	case p.TrainTexts > 0:
		fmt.Fprintf(a.out, "data        %s texts to train on, %s to validate, %s to test\n", count(p.TrainTexts), count(p.ValidTexts), count(p.TestTexts))
		fmt.Fprintf(a.out, "updates     %s of %s tokens: %.1f epochs at most\n", count(p.Updates), count(p.StepTokens), p.Epochs)
	case p.TrainTokens > 0:
		fmt.Fprintf(a.out, "data        %s documents: %s tokens to train on, %s to validate\n", count(int(p.Documents)), count(int(p.TrainTokens)), count(int(p.ValidTokens)))
		fmt.Fprintf(a.out, "updates     %s of %s tokens: %.1f epochs, %.1f tokens a parameter\n", count(p.Updates), count(p.StepTokens), p.Epochs,
			float64(p.Updates)*float64(p.StepTokens)/float64(p.Parameters))
	default:
		fmt.Fprintf(a.out, "data        %s pairs to train on, %s to validate, %s to test\n", count(p.TrainPairs), count(p.ValidPairs), count(p.TestPairs))
		fmt.Fprintf(a.out, "updates     %s of %s target tokens: %.1f epochs at most\n", count(p.Updates), count(p.StepTokens), p.Epochs)
	}
	fmt.Fprintf(a.out, "operations  %.1f GFLOP an update, %.1f TFLOP in all\n", p.FLOPsPerUpdate/1e9, p.FLOPsPerUpdate*float64(p.Updates)/1e12)
	fmt.Fprintf(a.out, "memory      %.0f MB\n", float64(p.MemoryBytes)/1e6)
	fmt.Fprintf(a.out, "time        %s at %.3f s an update (%d threads, %s), validations not counted\n", duration(p.Seconds), p.SecondsPerUpdate, p.Threads, p.ISA)
	return nil
}
