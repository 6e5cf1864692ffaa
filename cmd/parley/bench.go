package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/bench"
	"github.com/parley-lm/parley/hub"
)

func (a *app) benchCommand() *cobra.Command {
	o := bench.Options{}
	var precision, arithmetic precisionFlag
	benches := []struct {
		name string
		run  func(*bench.Bench, context.Context) error
	}{
		{"kernels", (*bench.Bench).Kernels},
		{"train", (*bench.Bench).Train},
		{"decode", (*bench.Bench).Decode},
		{"tokenizer", (*bench.Bench).Tokenizer},
	}
	c := &cobra.Command{
		Use:   "bench [kernels|train|decode|tokenizer]",
		Short: "Measure how fast this machine is, as a share of what its processor can do",
		Long: `Measures kernels, training, decoding and tokenizing (all of them if none is named). Arithmetic is also given as a share of
the multiply-adds that the processor can do at most, which are measured before and after each kernel.

Figures are medians of --repeats measurements; keep the machine otherwise idle. Without files the work is made up:
a Transformer-Tiny (4 layers, 128 wide, 10,000 tokens) with random weights; with --preset a language model in GPT-2's
architecture: gpt2 (12 layers, 768 wide, 50,257 tokens), small (6, 384, 8,192) or char (4, 128, 65), on random tokens, or
smollm2, in the shape of SmolLM2-135M, also with --lora: then its matrices stay as they are, in bfloat16.

decode reads and writes with a language model if -m is one, or with random weights of a published --shape, for which a
directory is made meanwhile: a prompt of 512 tokens (or half the model's context), one stream of answers after it, as a share
of what can be read from memory, and eight together; and how long it takes from the files to the first token.`,
		Example: `  parley bench kernels
  parley bench train --data multi30k --updates 30      # real batches; DIR holds train.lc.norm.tok.en and .fr
  parley bench train --preset gpt2 --batch 4 --ctx 64
  parley bench train --preset smollm2 --lora 8 --arithmetic bf16
  parley bench decode -m runs/multi30k --src test.en
  parley bench decode --shape smollm2-135m --precision bf16
  parley bench tokenizer --text book.txt --json
  parley bench tokenizer --text book.txt --tokenizer DIR/tokenizer.json`,
		Args:      arguments(cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: []string{"kernels", "train", "decode", "tokenizer"},
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case o.Repeats < 1 || o.Repeats > 1000:
				return usagef("--repeats %d: must be between 1 and 1000", o.Repeats)
			case o.Updates < 1:
				return usagef("--updates %d: must be at least 1", o.Updates)
			case o.Preset != "" && !slices.Contains(bench.Presets(), o.Preset):
				return usagef("--preset %s: must be one of %s", o.Preset, strings.Join(bench.Presets(), ", "))
			case o.Preset != "" && o.Data != "":
				return usagef("--preset and --data exclude each other: random tokens, or real sentences")
			case o.LoRA != 0 && (o.Preset != "smollm2" || o.LoRA < 0 || o.LoRA > 1024):
				return usagef("--lora %d: is a rank from 1 to 1024, for --preset smollm2", o.LoRA)
			case o.Batch < 0 || o.Context < 0 || o.Context > 1024:
				return usagef("--batch %d, --ctx %d: must not be below 0, and --ctx at most 1024", o.Batch, o.Context)
			case o.Shape != "" && !slices.Contains(bench.Shapes(), o.Shape):
				return usagef("--shape %s: must be one of %s", o.Shape, strings.Join(bench.Shapes(), ", "))
			case o.Shape != "" && o.Model != "":
				return usagef("--shape and -m exclude each other: random weights, or a model's")
			case o.Source != "" && o.Model == "":
				return usagef("--src needs -m: a model that translates the sentences")
			}
			o.Half, o.BF16 = precision.value == parley.BFloat16, arithmetic.value == parley.BFloat16
			o.Threads = a.threads
			if o.Model != "" {
				o.Model = hub.ModelDir(o.Model)
			}
			if !a.quiet {
				o.Progress = func(what string) { fmt.Fprintln(a.err, what) }
			}
			b := bench.New(o)
			defer b.Close()
			for _, one := range benches {
				if len(args) > 0 && args[0] != one.name {
					continue
				}
				if err := one.run(b, c.Context()); err != nil {
					return err
				}
			}
			if a.json {
				return a.printJSON(b.Report())
			}
			return b.Report().WriteText(a.out)
		},
	}
	f := c.Flags()
	f.IntVar(&o.Repeats, "repeats", 5, "measurements of each thing")
	f.DurationVar(&o.Window, "window", 60*time.Millisecond, "how long a kernel is measured each time")
	f.StringVar(&o.Data, "data", "", "train: directory of Multi30K, for real batches")
	f.StringVar(&o.Preset, "preset", "", "train: a language model, "+strings.Join(bench.Presets(), ", "))
	f.IntVar(&o.LoRA, "lora", 0, "train --preset smollm2: train a LoRA of this rank instead of the model")
	f.IntVar(&o.Batch, "batch", 0, "train --preset: rows of an update (default: gpt2 4, small 8, char 12, smollm2 4)")
	f.IntVar(&o.Context, "ctx", 0, "train --preset: tokens of a row (default: gpt2 64, small 256, char 64, smollm2 256)")
	f.IntVar(&o.Updates, "updates", 30, "train: updates measured on --data")
	f.StringVarP(&o.Model, "model", "m", "", "decode: model directory or run")
	f.StringVar(&o.Source, "src", "", "decode: file of sentences for -m to translate")
	f.StringVar(&o.Shape, "shape", "", "decode: a language model with random weights, "+strings.Join(bench.Shapes(), ", "))
	precision.define(f)
	arithmetic.defineArithmetic(f)
	f.StringVar(&o.Text, "text", "", "tokenizer: file of text")
	f.IntVar(&o.Vocab, "vocab", 10000, "tokenizer: size of the vocabulary")
	f.StringVar(&o.Shipped, "tokenizer", "", "tokenizer: encode with this tokenizer.json, SentencePiece model or .tiktoken file instead of learning")
	return c
}
