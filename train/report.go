package train

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/parley-lm/parley/eval"
	"github.com/parley-lm/parley/hub"
)

//go:embed report.html.tmpl
var reportText string

var reportTemplate = template.Must(template.New("report").Parse(reportText))

// curve is one line of a chart.
type curve struct {
	name, colour string
	points       []point
}

type point struct{ x, y float64 }

// writeReport rewrites report.html from metrics.jsonl. result is nil while the training goes on.
func (r *run) writeReport(result *Result) error {
	h, err := readHistory(filepath.Join(r.dir, metricsFile))
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
		Charts  []template.HTML
		Scores  []validationLine
		Names   []string // of what the objective measures
		Samples []Sample

		Calibration *eval.Calibration // of the best validation
	}{
		Recipe: r.recipe, TOML: string(r.recipe.TOML()), Plan: r.plan(), State: r.state, Result: result,
		Minutes: r.state.Seconds / 60, Charts: charts(h), Scores: h.validations,
	}
	if len(h.validations) > 0 {
		for _, m := range h.validations[0].Measures {
			page.Names = append(page.Names, m.Name)
		}
	}
	for _, v := range h.validations {
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

// charts draws what a history holds, with a curve for everything that the objective measured.
func charts(h *history) []template.HTML {
	training := curve{name: "training loss", colour: "#5b8fd9"}
	rate := curve{name: "learning rate", colour: "#8a6fc9"}
	speed := curve{name: "target tokens a second", colour: "#4f9d69"}
	for _, s := range h.steps {
		x := float64(s.Step)
		training.points = append(training.points, point{x, s.Loss})
		rate.points = append(rate.points, point{x, s.LR})
		speed.points = append(speed.points, point{x, s.TokensPerSec})
	}
	loss := curve{name: "validation loss", colour: "#d9793b"}
	bleu := curve{name: "validation BLEU", colour: "#d9793b"}
	bits := curve{name: "validation bits a byte", colour: "#d9793b"}
	for _, v := range h.validations {
		if v.What != "weights" && v.What != "moving average" {
			continue // the comparison at the end
		}
		loss.points = append(loss.points, point{float64(v.Step), v.Loss})
		if v.BLEU >= 0 {
			bleu.points = append(bleu.points, point{float64(v.Step), v.BLEU})
		}
		if v.BitsPerByte > 0 {
			bits.points = append(bits.points, point{float64(v.Step), v.BitsPerByte})
		}
	}
	curves := [][]curve{{training, loss}, {bleu}, {bits}}
	curves = append(curves, measured(h)...)
	var list []template.HTML
	for _, c := range append(curves, []curve{rate}, []curve{speed}) {
		if svg := chart(c); svg != "" {
			list = append(list, svg)
		}
	}
	return list
}

// measured returns the curves of what the objective measured, those of updates beside those of validations.
func measured(h *history) (curves [][]curve) {
	at := map[string]int{} // of a name in curves
	add := func(side int, step int, m Measures) {
		for _, one := range m {
			i, ok := at[one.Name]
			if !ok {
				i = len(curves)
				at[one.Name] = i
				name := strings.ReplaceAll(one.Name, "_", " ")
				curves = append(curves, []curve{{name: name, colour: "#5b8fd9"}, {name: "validation " + name, colour: "#d9793b"}})
			}
			if finite(one.Value) {
				c := &curves[i][side]
				c.points = append(c.points, point{float64(step), one.Value})
			}
		}
	}
	for _, s := range h.steps {
		add(0, s.Step, s.Measures)
	}
	for _, v := range h.validations {
		add(1, v.Step, v.Measures)
	}
	return curves
}

// Sizes of a chart, in SVG units.
const (
	chartWidth, chartHeight = 640.0, 260.0
	chartLeft, chartBottom  = 56.0, 28.0
	chartTop, chartRight    = 24.0, 24.0
	chartPoints             = 400 // at most, in a curve
)

// chart draws curves over a common axis as inline SVG; "" if they hold nothing.
func chart(curves []curve) template.HTML {
	low, high, last := math.Inf(1), math.Inf(-1), 0.0
	for i := range curves {
		curves[i].points = thin(curves[i].points, chartPoints)
		for _, p := range curves[i].points {
			low, high, last = min(low, p.y), max(high, p.y), max(last, p.x)
		}
	}
	if low > high || last == 0 {
		return ""
	}
	if low > 0 && low < high/2 {
		low = 0
	}
	step := tickStep(high-low, math.Abs(high))
	low, high = step*math.Floor(low/step), step*math.Ceil(high/step)
	if low == high {
		low, high = low-step, high+step
	}
	x := func(v float64) float64 { return chartLeft + v/last*(chartWidth-chartLeft-chartRight) }
	y := func(v float64) float64 {
		return chartHeight - chartBottom - (v-low)/(high-low)*(chartHeight-chartBottom-chartTop)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartWidth, chartHeight, template.HTMLEscapeString(curves[0].name))
	for v := low; v < high+step/2; v += step {
		fmt.Fprintf(&b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text class="tick" x="%g" y="%.1f" text-anchor="end">%.6g</text>`,
			chartLeft, chartWidth-chartRight, y(v), y(v), chartLeft-6, y(v)+4, step*math.Round(v/step))
	}
	across := tickStep(last, last)
	for v := 0.0; v <= last; v += across {
		fmt.Fprintf(&b, `<text class="tick" x="%.1f" y="%g" text-anchor="middle">%.0f</text>`, x(v), chartHeight-8, v)
	}
	for i, c := range curves {
		if len(c.points) == 0 {
			continue
		}
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, c.colour)
		for _, p := range c.points {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(p.x), y(p.y))
		}
		end := c.points[len(c.points)-1]
		fmt.Fprintf(&b, `"/><circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x(end.x), y(end.y), c.colour)
		fmt.Fprintf(&b, `<text x="%g" y="14" fill="%s">%s: %.4g</text>`, chartLeft+float64(i)*220, c.colour, template.HTMLEscapeString(c.name), end.y)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

// tickStep returns 1, 2 or 5 times a power of ten that cuts a range into two to six parts. An empty range is
// cut as one of the given size would be.
func tickStep(span, size float64) float64 {
	if span == 0 {
		span = size
	}
	if span == 0 {
		span = 1
	}
	power := math.Pow(10, math.Floor(math.Log10(span)))
	switch lead := span / power; {
	case lead < 2:
		return power / 2
	case lead < 5:
		return power
	}
	return 2 * power
}

// thin averages neighbouring points until there are at most n.
func thin(points []point, n int) []point {
	if len(points) <= n {
		return points
	}
	group := (len(points) + n - 1) / n
	var out []point
	for from := 0; from < len(points); from += group {
		part := points[from:min(from+group, len(points))]
		var sum point
		for _, p := range part {
			sum.x += p.x / float64(len(part))
			sum.y += p.y / float64(len(part))
		}
		out = append(out, sum)
	}
	return out
}
