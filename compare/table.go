package compare

import (
	"fmt"

	"github.com/parley-lm/parley/eval"
)

// Table is the report with a line for each measure and a column for each model: first the header, then the measures of all
// questions, then the exact answers of each kind. The last column is empty. What was measured of no model is left out.
func (r *Report) Table() [][]string {
	asked := "questions"
	if r.Continued {
		asked = "texts"
	}
	header := []string{fmt.Sprintf("%d %s", r.Models[0].All.Questions, asked)}
	for _, m := range r.Models {
		header = append(header, m.Name)
	}
	table := [][]string{append(header, "")}
	row := func(name string, cell func(m *Model) string) {
		cells, any := []string{name}, false
		for i := range r.Models {
			text := cell(&r.Models[i])
			cells, any = append(cells, text), any || text != ""
		}
		if any {
			table = append(table, append(cells, ""))
		}
	}
	for _, line := range rows {
		name := line.name
		if name == "won" {
			name = "won against " + r.Baseline
		}
		row(name, func(m *Model) string { return line.cell(&m.All) })
	}
	for _, label := range r.Labels {
		row("labelled "+label, func(m *Model) string { return share(m.All.Labels[label]) })
	}
	for _, kind := range r.Kinds {
		row(fmt.Sprintf("exact: %s (%d)", kind, r.Models[0].Kinds[kind].Questions), func(m *Model) string {
			s := m.Kinds[kind]
			return rows[0].cell(&s)
		})
	}
	return table
}

// rows are those of the table; a cell is empty where nothing was measured.
var rows = []struct {
	name string
	cell func(s *Score) string
}{
	{"exact answers", func(s *Score) string { return share(s.Exact) }},
	{"won", func(s *Score) string {
		if s.Wins == nil {
			return ""
		}
		low, high := s.Wins.Interval()
		return fmt.Sprintf("%.1f %% [%.1f, %.1f]", 100*s.Wins.Rate(), 100*low, 100*high)
	}},
	{"utility", func(s *Score) string { return plusMinus(s.Utility) }},
	{"reward", func(s *Score) string { return plusMinus(s.Reward) }},
	{"divergence, nats", func(s *Score) string { return plusMinus(s.Divergence) }},
	{"words", func(s *Score) string { return plusMinus(&s.Words) }},
	{"ended by themselves", func(s *Score) string { return fmt.Sprintf("%.1f %%", 100*s.Ended.Value()) }},
	{"repeated 4-grams", func(s *Score) string { return fmt.Sprintf("%.1f %%", 100*s.Repetition) }},
}

// share says a share with its confidence interval.
func share(a *eval.Accuracy) string {
	if a == nil {
		return ""
	}
	low, high := a.Interval()
	return fmt.Sprintf("%.1f %% [%.1f, %.1f]", 100*a.Value(), 100*low, 100*high)
}

// plusMinus says a mean with half of its confidence interval.
func plusMinus(s *eval.Sample) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("%.2f ± %.2f", s.Mean(), s.HalfWidth())
}
