package inspect

import (
	"embed"
	"html/template"
	"io"
	"math"
)

//go:embed report.html text.html shared.html
var pages embed.FS

var pageTemplates = template.Must(template.ParseFS(pages, "*.html"))

// WriteHTML writes the report as a page that needs nothing but itself: tokens, neighbours, probabilities, and the weights
// of every head as a map of heat, rounded to four digits.
func (r *Report) WriteHTML(w io.Writer) error {
	rounded := *r
	rounded.Attention = roundedHeads(r.Attention)
	return pageTemplates.ExecuteTemplate(w, "report.html", &rounded)
}

// WriteHTML writes the report as a page that needs nothing but itself: tokens, neighbours, probabilities, what each layer
// would have said, and the weights of every head as a map of heat, rounded to four digits.
func (r *TextReport) WriteHTML(w io.Writer) error {
	rounded := *r
	rounded.Attention = roundedHeads(r.Attention)
	return pageTemplates.ExecuteTemplate(w, "text.html", &rounded)
}

// roundedHeads returns heads whose weights have four digits.
func roundedHeads(heads []Head) []Head {
	list := make([]Head, len(heads))
	for i, h := range heads {
		rows := make([][]float32, len(h.Weights))
		for j, row := range h.Weights {
			rows[j] = make([]float32, len(row))
			for k, x := range row {
				rows[j][k] = float32(math.Round(float64(x)*1e4) / 1e4)
			}
		}
		h.Weights = rows
		list[i] = h
	}
	return list
}
