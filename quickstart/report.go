package quickstart

import (
	_ "embed"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/figure"
	"github.com/parley-lm/parley/train"
)

//go:embed report.html.tmpl
var reportText string

var reportTemplate = template.Must(template.New("report").Parse(reportText))

// shownOf says which curves of a training the page shows; its own report has all of them.
var shownOf = map[string]struct {
	run    string
	curves []string
}{
	"Pre-training":           {storiesRun, []string{"training loss"}},
	"Fine-tuning":            {sftRun, []string{"training loss"}},
	"Reward model":           {rewardRun, []string{"training loss", "accuracy"}},
	"Reinforcement learning": {ppoRun, []string{"reward", "watched reward", "divergence", "answer tokens"}},
	"The true reward":        {grpoRun, []string{"reward", "divergence", "answer tokens"}},
	"Over-optimisation":      {unleashedRun, []string{"reward", "watched reward"}},
	"Translator":             {translatorRun, []string{"training loss"}},
}

// stagePage is one stage on the page.
type stagePage struct {
	Stage
	Commands []string
	Report   string // of its training, beside the page; "" for none
	Charts   []figure.Chart
	Samples  []train.Sample
}

// sideBySide is a question with the answers of all models.
type sideBySide struct {
	Kind, Question, Right string
	Answers               []judged
}

type judged struct {
	Model, Text string
	Right       bool
}

// reportPage is what the page shows.
type reportPage struct {
	*Result
	Fast    bool
	Stages  []stagePage
	Table   [][]string // what each stage changed; the first is the header
	Answers []sideBySide
}

// writeReport writes report.html.
func (w *workshop) writeReport(r *Result) error {
	page := reportPage{Result: r, Fast: w.Fast}
	for i, s := range w.steps {
		p, err := w.stagePage(r.Stages[i], s)
		if err != nil {
			return err
		}
		page.Stages = append(page.Stages, p)
	}
	if a := r.Assistant; a != nil {
		for _, row := range a.Comparison.Table() {
			page.Table = append(page.Table, row[:len(row)-1])
		}
		page.Answers = a.sideBySide()
	}
	return hub.WriteFileAtomic(w.path(reportFile), func(f io.Writer) error { return reportTemplate.Execute(f, page) })
}

func (w *workshop) stagePage(of Stage, s step) (stagePage, error) {
	p := stagePage{Stage: of, Commands: s.commands}
	shown, ok := shownOf[s.name]
	if !ok {
		return p, nil
	}
	p.Report = shown.run + "/report.html"
	h, err := train.ReadHistory(w.path(shown.run))
	if err != nil {
		return p, err
	}
	for _, c := range h.Charts() {
		if slices.Contains(shown.curves, c.Title) {
			c.X = "updates"
			p.Charts = append(p.Charts, c)
		}
	}
	if n := len(h.Validations); n > 0 {
		p.Samples = h.Validations[n-1].Samples
		p.Samples = p.Samples[:min(2, len(p.Samples))]
	}
	return p, nil
}

// sideBySide shows two questions of each kind.
func (a *Assistant) sideBySide() (list []sideBySide) {
	const each = 2
	shown := map[string]int{}
	for i, q := range a.Questions {
		if shown[q.Kind] == each {
			continue
		}
		shown[q.Kind]++
		var talk []string
		for _, m := range q.Messages {
			talk = append(talk, m.Content)
		}
		s := sideBySide{Kind: q.Kind, Question: strings.Join(talk, " — "), Right: q.Answer}
		for _, m := range a.Comparison.Models {
			text := m.Answers[i].Text
			s.Answers = append(s.Answers, judged{m.Name, text, q.Right(text)})
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(x, y sideBySide) int { return strings.Compare(x.Kind, y.Kind) })
	return list
}

// Minutes is how long all stages took.
func (r *Result) Minutes() float64 { return r.Seconds / 60 }
