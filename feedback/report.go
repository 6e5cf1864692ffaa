package feedback

import (
	"context"
	"maps"
	"slices"

	"github.com/parley-lm/parley/eval"
)

// Report says what a store holds and how far its raters agree.
type Report struct {
	Prompts int     `json:"prompts"`
	Answers int     `json:"answers"`
	Raters  []Rater `json:"raters"` // by name

	Rankings    int `json:"rankings"`
	CannotJudge int `json:"cannot_judge"`
	Pairs       int `json:"pairs"`    // comparisons in which one answer is better
	Ties        int `json:"ties"`     // comparisons in which neither is
	Contrary    int `json:"contrary"` // comparisons that one rater made twice, with different outcomes

	// Alpha is Krippendorff's alpha over the comparisons that two or more raters made: 1 is full agreement, 0 what chance gives.
	// It is nil where there are none.
	Alpha    *float64 `json:"alpha"`
	Compared int      `json:"compared_by_several"` // comparisons that two or more raters made
}

// Rater is what one person has done.
type Rater struct {
	Name        string   `json:"name"`
	Rankings    int      `json:"rankings"`
	CannotJudge int      `json:"cannot_judge"`
	Agreement   *float64 `json:"agreement"` // share of the other raters' judgements of the same comparisons that are the same; nil: there are none
}

// comparison is two answers to one prompt, the first smaller as a text.
type comparison struct{ prompt, a, b string }

// Report reads all rankings.
func (s *Store) Report(ctx context.Context) (Report, error) {
	var report Report
	raters := map[string]*Rater{}
	judged := map[comparison]map[string]float64{} // by rater: 1 where a is better, −1 where b is, 0 for a tie
	for r, err := range s.Records(ctx) {
		if err != nil {
			return report, err
		}
		if r.Ranks == nil && !r.CannotJudge {
			continue
		}
		rater := raters[r.Rater]
		if rater == nil {
			rater = &Rater{Name: r.Rater}
			raters[r.Rater] = rater
		}
		report.Rankings++
		rater.Rankings++
		if r.CannotJudge {
			report.CannotJudge++
			rater.CannotJudge++
		}
		report.add(judged, r)
	}
	for _, name := range slices.Sorted(maps.Keys(raters)) {
		raters[name].Agreement = agreement(judged, name)
		report.Raters = append(report.Raters, *raters[name])
	}
	var units [][]float64
	for _, c := range slices.SortedFunc(maps.Keys(judged), comparison.compare) {
		if by := judged[c]; len(by) > 1 {
			report.Compared++
			values := make([]float64, 0, len(by))
			mirrored := make([]float64, 0, len(by))
			for _, name := range slices.Sorted(maps.Keys(by)) {
				values = append(values, by[name])
				mirrored = append(mirrored, -by[name])
			}
			units = append(units, values, mirrored) // which answer comes first means nothing
		}
	}
	if alpha, ok := eval.KrippendorffAlpha(units, eval.IntervalDifference); ok {
		report.Alpha = &alpha
	}
	err := s.transaction(ctx, func(tx *transaction) error {
		if err := tx.row(`SELECT COUNT(*) FROM prompts`).Scan(&report.Prompts); err != nil {
			return err
		}
		return tx.row(`SELECT COUNT(*) FROM answers`).Scan(&report.Answers)
	})
	if err != nil {
		return report, s.wrong(err)
	}
	return report, nil
}

// add notes the comparisons in a ranking.
func (report *Report) add(judged map[comparison]map[string]float64, r Record) {
	for i := range r.Ranks {
		for j := range i {
			first, second := j, i
			if r.Answers[first].Text > r.Answers[second].Text {
				first, second = second, first
			}
			c := comparison{r.Prompt.identity(), r.Answers[first].Text, r.Answers[second].Text}
			outcome := 0.0
			switch {
			case r.Ranks[first] < r.Ranks[second]:
				outcome = 1
			case r.Ranks[first] > r.Ranks[second]:
				outcome = -1
			}
			if outcome == 0 {
				report.Ties++
			} else {
				report.Pairs++
			}
			if judged[c] == nil {
				judged[c] = map[string]float64{}
			}
			if before, ok := judged[c][r.Rater]; ok {
				if before != outcome {
					report.Contrary++
				}
				continue // the first judgement counts
			}
			judged[c][r.Rater] = outcome
		}
	}
}

func (c comparison) compare(d comparison) int {
	return slices.Compare([]string{c.prompt, c.a, c.b}, []string{d.prompt, d.a, d.b})
}

// agreement is how often others judge as the rater does.
func agreement(judged map[comparison]map[string]float64, rater string) *float64 {
	same, all := 0, 0
	for _, by := range judged {
		own, ok := by[rater]
		if !ok {
			continue
		}
		for other, outcome := range by {
			if other != rater {
				all++
				if outcome == own {
					same++
				}
			}
		}
	}
	if all == 0 {
		return nil
	}
	share := float64(same) / float64(all)
	return &share
}
