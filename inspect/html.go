package inspect

import (
	_ "embed"
	"html/template"
	"io"
	"math"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report.html").Parse(page))

// WriteHTML writes the report as a page that needs nothing but itself: tokens, neighbours, probabilities, and the weights
// of every head as a map of heat, rounded to four digits.
func (r *Report) WriteHTML(w io.Writer) error {
	rounded := *r
	rounded.Attention = make([]Head, len(r.Attention))
	for i, h := range r.Attention {
		rows := make([][]float32, len(h.Weights))
		for j, row := range h.Weights {
			rows[j] = make([]float32, len(row))
			for k, x := range row {
				rows[j][k] = float32(math.Round(float64(x)*1e4) / 1e4)
			}
		}
		h.Weights = rows
		rounded.Attention[i] = h
	}
	return pageTemplate.Execute(w, &rounded)
}
