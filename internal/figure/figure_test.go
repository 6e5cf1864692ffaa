package figure

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
)

func TestChartsAreWellFormedWhateverTheNumbers(t *testing.T) {
	for _, c := range []struct {
		name   string
		points []Point
		want   string
	}{
		{"nothing", nil, ""},
		{"one point", []Point{{10, 5}}, "5"},
		{"a flat line", []Point{{1, 0}, {2, 0}}, "<polyline"},
		{"large numbers", []Point{{1, 15000}, {5000, 26000}}, ">20000<"},
		{"small numbers", []Point{{1, 1e-5}, {5000, 6e-3}}, ">0.002<"},
		{"negative numbers", []Point{{1, -3}, {70, 4}}, ">-4<"},
	} {
		svg := string(Chart{Title: "a < b", X: "x & y", Y: "< 1", Series: []Series{{Name: "a < b", Colour: Blue, Points: c.points}}}.SVG())
		if !strings.Contains(svg, c.want) || (c.want == "") != (svg == "") {
			t.Errorf("%s: %q is not in %s", c.name, c.want, svg)
		}
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Errorf("%s: %v in %s", c.name, err, svg)
				break
			}
		}
		if n := strings.Count(svg, "<line"); svg != "" && (n < 3 || n > 10) || strings.Contains(svg, "NaN") {
			t.Errorf("%s: %d lines: %s", c.name, n, svg)
		}
	}
}

func TestTickStepsAreRound(t *testing.T) {
	for span := 1e-9; span < 1e9; span *= 1.37 {
		step := tickStep(span, span)
		lead := step / math.Pow(10, math.Floor(math.Log10(step)+1e-9))
		if r := fmt.Sprintf("%.6g", lead); r != "1" && r != "2" && r != "5" || span/step < 1.9 || span/step > 6 {
			t.Errorf("a range of %g is cut into steps of %g", span, step)
		}
	}
}

func TestThinKeepsTheMean(t *testing.T) {
	var points []Point
	for i := range 1000 {
		points = append(points, Point{float64(i), float64(i % 2)})
	}
	thinned := thin(points, 400)
	if len(thinned) > 400 {
		t.Fatalf("%d points", len(thinned))
	}
	sum := 0.0
	for _, p := range thinned[:len(thinned)-1] {
		sum += p.Y
	}
	if mean := sum / float64(len(thinned)-1); math.Abs(mean-0.5) > 0.01 {
		t.Errorf("mean %g", mean)
	}
}

func TestEveryPointAndMarkIsInTheChart(t *testing.T) {
	c := Chart{
		Series: []Series{
			{Name: "dots", Colour: Orange, Style: Dots, Points: []Point{{0, 0}, {1, 1}, {2, 0.5}}},
			{Name: "none", Colour: Blue}, {Name: "dashes", Colour: Green, Style: Dashed, Points: []Point{{0, 0}, {2, 2}}},
		},
		Marks: []Mark{{1.5, "begins here"}, {7, "outside"}},
	}
	svg := string(c.SVG())
	for _, want := range []string{`cx="50.0" cy="214.0" r="2.5"`, `cx="258.0" cy="119.0" r="2.5"`, `cx="466.0" cy="166.5" r="2.5"`, "begins here", ">dashes<", "stroke-dasharray=\"5 4\""} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is not in %s", want, svg)
		}
	}
	if strings.Contains(svg, "none<") || strings.Contains(svg, "outside") {
		t.Errorf("what is not there is shown in %s", svg)
	}
}
