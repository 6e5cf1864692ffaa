package train

import (
	_ "embed"
	"html/template"
	"io"
	"path/filepath"

	"github.com/parley-lm/parley/eval"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/figure"
)

//go:embed report.html.tmpl
var reportText string

var reportTemplate = template.Must(template.New("report").Parse(reportText))

// writeReport rewrites report.html from metrics.jsonl. result is nil while the training goes on.
func (r *run) writeReport(result *Result) error {
	h, err := ReadHistory(r.dir)
	if err != nil {
		return err
	}
	page := struct {
		Recipe  Recipe
		TOML    string
		Plan    Plan
		State   state
		Result  *Result
		Minutes float64
		Charts  []figure.Chart
		Scores  []ValidationLine
		Names   []string // of what the objective measures
		Samples []Sample

		Calibration *eval.Calibration // of the best validation
	}{
		Recipe: r.recipe, TOML: string(r.recipe.TOML()), Plan: r.plan(), State: r.state, Result: result,
		Minutes: r.state.Seconds / 60, Charts: h.Charts(), Scores: h.Validations,
	}
	if len(h.Validations) > 0 {
		for _, m := range h.Validations[0].Measures {
			page.Names = append(page.Names, m.Name)
		}
	}
	for _, v := range h.Validations {
		if len(v.Samples) > 0 && (v.Best || page.Samples == nil) {
			page.Samples = v.Samples
		}
		if v.Best {
			page.Calibration = v.Calibration
		}
	}
	return hub.WriteFileAtomic(filepath.Join(r.dir, reportFile), func(w io.Writer) error {
		return reportTemplate.Execute(w, page)
	})
}
