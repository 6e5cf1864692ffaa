package main

import (
	"fmt"
	"strings"

	"github.com/parley-lm/parley/quickstart"
)

// printQuickstart prints what the stages changed, and what to try now.
func (a *app) printQuickstart(r *quickstart.Result) error {
	fmt.Fprintf(a.out, "\nAll stages took %s:\n\n", duration(r.Seconds))
	var rows [][]string
	for _, s := range r.Stages {
		rows = append(rows, []string{"  " + s.Name, duration(s.Seconds), s.Paper})
	}
	if err := a.printTable(rows); err != nil {
		return err
	}
	if r.Assistant != nil {
		if err := a.printAssistant(r.Assistant); err != nil {
			return err
		}
	}
	if r.Translator != nil {
		a.printTranslator(r.Translator)
	}
	fmt.Fprintf(a.out, "\n%s shows all of it: curves, answers side by side, where over-optimisation begins.\n", r.Report)
	if r.Assistant != nil {
		fmt.Fprintln(a.out, "\nTalk to the assistant; it prints for example:")
		for _, e := range r.Assistant.Conversations {
			fmt.Fprintf(a.out, "  $ echo %s | parley chat -m %s\n  %s\n", quoted(e.Question), r.Assistant.Dir, strings.ReplaceAll(e.Answer, "\n", "\n  "))
		}
	}
	if r.Translator != nil {
		fmt.Fprintln(a.out, "\nHave sentences translated; it prints for example:")
		for _, e := range r.Translator.Examples[:min(2, len(r.Translator.Examples))] {
			fmt.Fprintf(a.out, "  $ parley translate -m %s %s\n  %s\n", r.Translator.Dir, quoted(e.English), e.French)
		}
	}
	return nil
}

// quoted is a text as a shell takes it.
func quoted(text string) string {
	if !strings.ContainsAny(text, `"$`+"`\\!") {
		return `"` + text + `"`
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func (a *app) printAssistant(r *quickstart.Assistant) error {
	fmt.Fprintf(a.out, "\nWhat each stage changed. All questions are about combinations of words that no stage has seen; in brackets the 95 %% confidence interval:\n\n")
	if err := a.printTable(r.Comparison.Table()); err != nil {
		return err
	}
	accuracy := r.Judgement.Measures.Of("accuracy")
	fmt.Fprintf(a.out, "\nThe reward model ranks %.1f %% of the pairs of held-out questions as the judge did.\n%s\n", 100*accuracy, r.Overoptimisation)
	return nil
}

func (a *app) printTranslator(r *quickstart.Translator) {
	fmt.Fprintf(a.out, "\nThe translator, of %s parameters:\n\n", count(r.Parameters))
	fmt.Fprintf(a.out, "  never-seen sentences translated exactly:     %s\n", r.Sentences)
	fmt.Fprintf(a.out, "  never-seen combinations translated exactly:  %s\n\n", r.Combos)
	fmt.Fprintln(a.out, "  where it is weakest:")
	for _, p := range r.Phenomena[:min(5, len(r.Phenomena))] {
		fmt.Fprintf(a.out, "    %-44s %s\n", p.Name, p.Accuracy)
	}
}
