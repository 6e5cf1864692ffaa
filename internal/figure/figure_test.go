package train

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
		points []point
		want   string
	}{
		{"nothing", nil, ""},
		{"one point", []point{{10, 5}}, "5"},
		{"a flat line", []point{{1, 0}, {2, 0}}, "<polyline"},
		{"large numbers", []point{{1, 15000}, {5000, 26000}}, ">20000<"},
		{"small numbers", []point{{1, 1e-5}, {5000, 6e-3}}, ">0.002<"},
		{"negative numbers", []point{{1, -3}, {70, 4}}, ">-4<"},
	} {
		svg := string(chart([]curve{{name: "a < b", colour: "red", points: c.points}}))
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
		if n := strings.Count(svg, "<line"); svg != "" && (n < 2 || n > 9) || strings.Contains(svg, "NaN") {
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
	var points []point
	for i := range 1000 {
		points = append(points, point{float64(i), float64(i % 2)})
	}
	thinned := thin(points, 400)
	if len(thinned) > 400 {
		t.Fatalf("%d points", len(thinned))
	}
	sum := 0.0
	for _, p := range thinned[:len(thinned)-1] {
		sum += p.y
	}
	if mean := sum / float64(len(thinned)-1); math.Abs(mean-0.5) > 0.01 {
		t.Errorf("mean %g", mean)
	}
}
