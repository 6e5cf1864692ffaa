package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/parley-lm/parley/internal/harmless"
	"github.com/parley-lm/parley/train"
)

// progress returns what shows a run: nothing, a bar on a terminal, or plain lines.
func (a *app) progress() train.Progress {
	if a.quiet {
		return nil
	}
	if isTerminal(a.err) {
		a.bar = &barProgress{lineProgress: lineProgress{out: a.err}}
		return a.bar
	}
	return &lineProgress{out: a.err, every: 15 * time.Second}
}

// isTerminal reports whether a person looks at the stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// screen is where to print what a model or somebody else wrote: where a person looks at it, without what would move the cursor.
func (a *app) screen() io.Writer {
	if isTerminal(a.out) {
		return harmless.NewWriter(a.out)
	}
	return a.out
}

// lineProgress prints a plain line now and then.
type lineProgress struct {
	out   io.Writer
	every time.Duration
	last  time.Time
}

func (p *lineProgress) Begin(plan train.Plan) {
	data := count(plan.TrainPairs) + " pairs"
	switch {
	case plan.TrainPrompts > 0:
		data = count(plan.TrainPrompts) + " prompts"
	case plan.TrainTexts > 0:
		data = count(plan.TrainTexts) + " texts"
	case plan.TrainTokens > 0:
		data = count(int(plan.TrainTokens)) + " tokens"
	}
	fmt.Fprintf(p.out, "%s: %s parameters, vocabulary %s, %s, %s updates (%.1f epochs), %d threads, %s\n", plan.Name,
		count(plan.Parameters), count(plan.Vocabulary), data, count(plan.Updates), plan.Epochs, plan.Threads, plan.ISA)
}

func (p *lineProgress) Step(s train.StepReport) {
	if now := time.Now(); s.Step == s.Updates || now.Sub(p.last) >= p.every {
		p.last = now
		fmt.Fprintln(p.out, describe(s))
	}
}

func (p *lineProgress) Validation(v train.ValidationReport) {
	mark := ""
	if v.Best {
		mark = "  best so far"
	}
	switch {
	case v.BLEU >= 0:
		fmt.Fprintf(p.out, "validation at %d (%s): loss %.4f, BLEU %.2f%s\n", v.Step, v.What, v.Loss, v.BLEU, mark)
	case v.BitsPerByte > 0:
		fmt.Fprintf(p.out, "validation at %d (%s): loss %.4f, %.4f bits per byte%s\n", v.Step, v.What, v.Loss, v.BitsPerByte, mark)
	case len(v.Measures) > 0:
		fmt.Fprintf(p.out, "validation at %d (%s): loss %.4f, %s%s\n", v.Step, v.What, v.Loss, measures(v.Measures), mark)
	default:
		fmt.Fprintf(p.out, "validation at %d (%s): loss %.4f%s\n", v.Step, v.What, v.Loss, mark)
	}
}

func (p *lineProgress) Note(text string) { fmt.Fprintln(p.out, text) }

func describe(s train.StepReport) string {
	return fmt.Sprintf("step %d/%d  epoch %d  %s  lr %.2e  %.0f tokens/s  %s left",
		s.Step, s.Updates, s.Epoch+1, progressOf(s), s.LR, s.TokensPerSec, duration(s.Left))
}

// progressOf says how an update went: by its loss and what else was measured or, where there is much of that and the loss says
// little, by the reward and what it costs.
func progressOf(s train.StepReport) string {
	if reward := s.Measures.Of("reward"); !math.IsNaN(reward) {
		return fmt.Sprintf("reward %.3f  divergence %.2f", reward, s.Measures.Of("divergence"))
	}
	if len(s.Measures) > 0 {
		return fmt.Sprintf("loss %.4f  %s", s.Loss, measures(s.Measures))
	}
	return fmt.Sprintf("loss %.4f", s.Loss)
}

// measures lists what an objective measures.
func measures(m train.Measures) string {
	list := make([]string, len(m))
	for i, one := range m {
		list[i] = fmt.Sprintf("%s %.4g", one.Name, one.Value)
	}
	return strings.Join(list, ", ")
}

// barProgress draws a bar on a terminal, with the plain lines of validations above it.
type barProgress struct {
	lineProgress
	bar *progressbar.ProgressBar
}

func (p *barProgress) Begin(plan train.Plan) {
	p.lineProgress.Begin(plan)
	p.bar = progressbar.NewOptions(plan.Updates, progressbar.OptionSetWriter(p.out), progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish())
	p.bar.Set(plan.Step)
}

func (p *barProgress) Step(s train.StepReport) {
	if now := time.Now(); s.Step == s.Updates || now.Sub(p.last) >= 200*time.Millisecond {
		p.last = now
		head := fmt.Sprintf("loss %.3f", s.Loss)
		if reward := s.Measures.Of("reward"); !math.IsNaN(reward) {
			head = fmt.Sprintf("reward %.3f", reward)
		}
		p.bar.Describe(fmt.Sprintf("%s  %.0f tokens/s  %s left", head, s.TokensPerSec, duration(s.Left)))
		p.bar.Set(s.Step)
	}
}

func (p *barProgress) Validation(v train.ValidationReport) {
	p.clear()
	p.lineProgress.Validation(v)
}

func (p *barProgress) Note(text string) {
	p.clear()
	p.lineProgress.Note(text)
}

func (p *barProgress) clear() {
	if p.bar != nil {
		p.bar.Clear()
	}
}

// clearBar takes the bar away, so that what is printed next stands on a line of its own.
func (a *app) clearBar() {
	if a.bar != nil {
		a.bar.clear()
	}
}

// duration writes seconds as a person says them.
func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", seconds)
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

// count writes a number with commas between the thousands.
func count(n int) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// counter returns what shows how far something has come that is no training: nothing, or a line now and then.
func (a *app) counter() func(what string, done, of int) {
	if a.quiet {
		return nil
	}
	last := time.Now()
	return func(what string, done, of int) {
		every := 15 * time.Second
		if isTerminal(a.err) {
			every = 3 * time.Second
		}
		if time.Since(last) > every {
			last = time.Now()
			fmt.Fprintf(a.err, "%s: %d of %d\n", what, done, of)
		}
	}
}
