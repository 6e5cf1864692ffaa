package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley"
)

func (a *app) chatCommand() *cobra.Command {
	var (
		model, system, feedback string
		flags                   = generateFlags{o: parley.GenerateOptions{N: 1}}
		precision               precisionFlag
		adapters                adapterFlag
	)
	c := &cobra.Command{
		Use:   "chat -m DIR",
		Short: "Talk with a model that was fine-tuned on dialogues",
		Long: `Talk with a model that was fine-tuned on dialogues (parley train sft), or that was published with a chat template. Type and
press Enter; the answer comes as it is written, and Ctrl-C stops it. The model sees the whole talk, or as much of its end as
its context holds beside an answer; what the system says always stays.

` + chatHelp + `

Where standard input is not a terminal each line is the next turn of the talk, and what is printed is the answers, each with
a line break; with --json a line for each. A turn that cannot be answered is reported on standard error; the exit status is then 1.

Options of sampling that are not given are as the model's generation_config.json says.`,
		Example: `  parley chat -m runs/sft
  parley chat -m runs/sft --system "Answer in one sentence." --temperature 0.7
  parley chat -m DIR --adapter runs/assistant
  parley chat -m runs/sft < questions.txt > answers.txt
  parley chat -m runs/sft --feedback mine.db        # /rank keeps what you prefer there, as parley rank does`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := flags.options(c.Flags(), a.seed)
			if err != nil {
				return err
			}
			m, err := parley.Open(model, append(adapters.options(), parley.Threads(a.threads), precision.option())...)
			if err != nil {
				return err
			}
			defer m.Close()
			if m.Architecture() != parley.DecoderOnly {
				return fmt.Errorf("%s is an %s, which translates: parley translate -m %s", model, m.Architecture(), model)
			}
			if err := m.Talks(); err != nil { // before anybody types in vain
				return err
			}
			t := &talk{app: a, model: m, name: model, options: o, drawn: c.Flags().Changed("temperature"), feedback: feedback, interactive: isTerminal(a.in)}
			if c.Flags().Changed("system") {
				t.messages = []parley.Message{{Role: "system", Content: system}}
			}
			ctx := c.Context()
			if t.interactive {
				var end func()
				ctx, end = t.ownInterrupts(ctx)
				defer end()
			}
			return t.run(ctx)
		},
	}
	f := c.Flags()
	f.StringVarP(&model, "model", "m", "", "model directory or run, or a LoRA adapter that names its base model")
	c.MarkFlagRequired("model")
	f.StringVar(&system, "system", "", "what the system says at the beginning: how to answer")
	f.StringVar(&feedback, "feedback", "feedback.db", "SQLite file or postgres:// address where /rank keeps what you prefer")
	flags.defineSampling(f)
	precision.define(f)
	adapters.define(f)
	return c
}

// ownInterrupts returns a context that Ctrl-C does not end: it stops the answer, or says how to leave.
func (t *talk) ownInterrupts(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for {
			select {
			case s := <-signals:
				if s != os.Interrupt {
					cancel()
					return
				}
				t.interrupt()
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}
