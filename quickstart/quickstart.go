// Package quickstart shows the whole of Parley in minutes, with nothing to download, on the sandbox world: an assistant, made by
// the recipe of InstructGPT (Ouyang et al. 2022) stage by stage, what over-optimisation is, and a translator. All is measured on
// what no training has seen.
//
// It knows the stages, what to say about them and how to go on with what was stopped; the stages themselves are in the packages
// below. Start at [Run].
package quickstart

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/parley-lm/parley/train"
)

// World is the seed of what is generated; the seed of the training is another matter.
const World = 2

// Parts of a quickstart.
const (
	Everything     = ""
	AssistantOnly  = "assistant"
	TranslatorOnly = "translator"
)

// Options say how to run.
type Options struct {
	Out     string // directory of all stages; if a quickstart was stopped there, it goes on
	Part    string // [Everything], [AssistantOnly] or [TranslatorOnly]
	Fast    bool   // less of everything
	Threads int    // 0: all
	Seed    int

	Progress train.Progress                  // of the trainings; nil: silent
	Count    func(what string, done, of int) // of what else takes long; nil: silent
	Log      io.Writer                       // what is being done and why; nil: nobody is told
}

// Result is what came out.
type Result struct {
	Dir        string      `json:"dir"`
	Report     string      `json:"report"`  // the page
	Seconds    float64     `json:"seconds"` // of all stages, interruptions not counted
	Stages     []Stage     `json:"stages"`
	Assistant  *Assistant  `json:"assistant,omitempty"`
	Translator *Translator `json:"translator,omitempty"`
}

// Stage is one stage that was carried out.
type Stage struct {
	Name    string  `json:"name"`
	Why     string  `json:"why"`
	Paper   string  `json:"paper,omitempty"`
	Seconds float64 `json:"seconds"`
}

// Stopped is the error of a quickstart that was told to stop. What is done is kept.
type Stopped struct {
	Dir   string
	Stage string // that was being carried out
	err   error
}

func (e *Stopped) Error() string {
	return fmt.Sprintf("stopped in the stage %q; all stages before it, and what can be kept of it, are in %s", e.Stage, e.Dir)
}

func (e *Stopped) Unwrap() error { return e.err }

// Run carries out all stages of a part that are not done yet, and returns what all of them have come to. A run that was stopped, by
// the end of ctx (then it returns a [Stopped]) or by anything else, ends with the same models when it is called again.
func Run(ctx context.Context, o Options) (*Result, error) {
	e := whole
	if o.Fast {
		e = fast
	}
	return run(ctx, o, e)
}

func run(ctx context.Context, o Options, e effort) (*Result, error) {
	w, err := openWorkshop(o, e)
	if err != nil {
		return nil, err
	}
	r := &Result{Dir: o.Out, Report: filepath.Join(o.Out, reportFile)}
	if o.Part != TranslatorOnly {
		r.Assistant = &Assistant{}
		w.add(w.assistantStages(r.Assistant)...)
	}
	if o.Part != AssistantOnly {
		r.Translator = &Translator{}
		w.add(w.translatorStages(r.Translator)...)
	}
	if err := w.carryOut(ctx); err != nil {
		return nil, err
	}
	r.Stages, r.Seconds = w.spent()
	return r, w.writeReport(r)
}

// exists reports whether there is a file or directory of a name.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
