package quickstart

import (
	"html/template"

	"github.com/parley-lm/parley/internal/figure"
)

// Figure draws the rewards against the distance, what was measured as dots and the laws as dashed lines.
func (o *Overoptimisation) Figure() template.HTML {
	chart := figure.Chart{
		Title: "What the reward model thinks of the answers, and what they are truly worth, by the distance from the fine-tuned model",
		X:     "distance from the fine-tuned model: √KL, KL in nats an answer",
		Y:     "gain, standard deviations",
		Series: []figure.Series{
			{Name: "reward model's opinion", Colour: figure.Blue, Style: figure.Dots, Points: dots(o.all(), func(d Departure) float64 { return d.Proxy })},
			{Name: "true reward (the judge)", Colour: figure.Orange, Style: figure.Dots, Points: dots(o.all(), func(d Departure) float64 { return d.True })},
			{Name: "its law, d (α − β log d)", Colour: figure.Blue, Style: figure.Dashed, Points: o.Proxy.curve(o.farthest())},
			{Name: "its law", Colour: figure.Orange, Style: figure.Dashed, Points: o.True.curve(o.farthest())},
		},
	}
	if o.Onset != nil {
		chart.Marks = append(chart.Marks, figure.Mark{X: o.Onset.Distance(), Name: "over-optimisation begins"})
	}
	return chart.SVG()
}

func dots(list []Departure, reward func(Departure) float64) []figure.Point {
	points := make([]figure.Point, len(list))
	for i, d := range list {
		points[i] = figure.Point{X: d.Distance(), Y: reward(d)}
	}
	return points
}

// curve is the law up to a distance.
func (l Law) curve(far float64) []figure.Point {
	if l == (Law{}) {
		return nil
	}
	const n = 60
	points := make([]figure.Point, n+1)
	for i := range points {
		d := far * float64(i) / n
		points[i] = figure.Point{X: d, Y: l.At(d)}
	}
	return points
}
