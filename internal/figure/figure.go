// Package figure draws curves as inline SVG: no script, nothing from elsewhere, text and lines in the colour of the page around,
// so that they can be read in light and dark.
//
// It knows numbers and names, not what they mean. Start from [Chart].
package figure

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Colours that can be told apart on white and on black, also by most who see few colours.
const (
	Blue   = "#5b8fd9"
	Orange = "#d9793b"
	Green  = "#4f9d69"
	Violet = "#8a6fc9"
)

// Point is a place in a chart.
type Point struct{ X, Y float64 }

// Style says how the points of a series are drawn.
type Style int

const (
	Line   Style = iota // a line, with a dot at its end
	Dots                // a dot each
	Dashed              // a dashed line
)

// Series is one curve; one without points is left out.
type Series struct {
	Name   string
	Colour string
	Style  Style
	Points []Point
}

// Mark is a place on the x axis that has a name.
type Mark struct {
	X    float64
	Name string
}

// Chart is some curves over a common axis.
type Chart struct {
	Title  string // what it shows, for those who cannot see it
	X, Y   string // what the axes say, with units; "" for nothing
	Series []Series
	Marks  []Mark
	Last   bool // the legend gives the last value of each curve
}

// Sizes in SVG units. A unit is about a pixel in a column of a page, and three quarters of one on a phone.
const (
	width      = 480.0
	plotHeight = 190.0
	left       = 50.0
	right      = 14.0
	rowHeight  = 16.0
	mostPoints = 400 // of a curve
)

// Empty reports whether there is nothing to draw: no point right of 0.
func (c Chart) Empty() bool {
	for _, s := range c.Series {
		for _, p := range s.Points {
			if p.X > 0 {
				return false
			}
		}
	}
	return true
}

// SVG draws the chart; "" if it is empty.
func (c Chart) SVG() template.HTML {
	if c.Empty() {
		return ""
	}
	low, high, last := math.Inf(1), math.Inf(-1), 0.0
	var drawn []Series
	for _, s := range c.Series {
		if len(s.Points) == 0 {
			continue
		}
		s.Points = thin(s.Points, mostPoints)
		for _, p := range s.Points {
			low, high, last = min(low, p.Y), max(high, p.Y), max(last, p.X)
		}
		drawn = append(drawn, s)
	}
	if low > 0 && low < high/2 {
		low = 0
	}
	step := tickStep(high-low, math.Abs(high))
	low, high = step*math.Floor(low/step), step*math.Ceil(high/step)
	if low == high {
		low, high = low-step, high+step
	}
	top := 8 + rowHeight*float64((len(drawn)+1)/2)
	bottom := top + plotHeight
	p := &plot{low: low, high: high, last: last, top: top, bottom: bottom}
	height := bottom + 20
	if c.X != "" {
		height += rowHeight
	}
	fmt.Fprintf(&p.b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, width, height, template.HTMLEscapeString(c.Title))
	p.axes(step, c)
	for i, s := range drawn {
		p.legend(i, s, c.Last)
		p.series(s)
	}
	for _, m := range c.Marks {
		if m.X >= 0 && m.X <= last {
			p.mark(m)
		}
	}
	p.b.WriteString("</svg>")
	return template.HTML(p.b.String())
}

// plot is a chart that is being drawn.
type plot struct {
	b                            strings.Builder
	low, high, last, top, bottom float64
}

func (p *plot) x(v float64) float64 { return left + v/p.last*(width-left-right) }

func (p *plot) y(v float64) float64 {
	return p.bottom - (v-p.low)/(p.high-p.low)*(p.bottom-p.top)
}

func (p *plot) axes(step float64, c Chart) {
	for v := p.low; v < p.high+step/2; v += step {
		fmt.Fprintf(&p.b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text class="tick" x="%g" y="%.1f" text-anchor="end">%.6g</text>`,
			left, width-right, p.y(v), p.y(v), left-6, p.y(v)+4, step*math.Round(v/step))
	}
	across := tickStep(p.last, p.last)
	for i := 0; float64(i)*across <= p.last; i++ {
		v := float64(i) * across
		fmt.Fprintf(&p.b, `<text class="tick" x="%.1f" y="%g" text-anchor="middle">%.6g</text>`, p.x(v), p.bottom+15, v)
	}
	if c.X != "" {
		fmt.Fprintf(&p.b, `<text class="tick" x="%g" y="%g" text-anchor="middle">%s</text>`, (left+width-right)/2, p.bottom+15+rowHeight, template.HTMLEscapeString(c.X))
	}
	if c.Y != "" {
		middle := (p.top + p.bottom) / 2
		fmt.Fprintf(&p.b, `<text class="tick" x="11" y="%g" text-anchor="middle" transform="rotate(-90 11 %[1]g)">%s</text>`, middle, template.HTMLEscapeString(c.Y))
	}
}

// legend names a curve, two of them in a row.
func (p *plot) legend(i int, s Series, last bool) {
	x, y := left+float64(i%2)*(width-left)/2, 12+rowHeight*float64(i/2)
	name := template.HTMLEscapeString(s.Name)
	if last {
		name = fmt.Sprintf("%s: %.4g", name, s.Points[len(s.Points)-1].Y)
	}
	if s.Style == Dots {
		fmt.Fprintf(&p.b, `<circle cx="%g" cy="%g" r="3" fill="%s"/>`, x+8, y-4, s.Colour)
	} else {
		fmt.Fprintf(&p.b, `<line x1="%g" x2="%g" y1="%g" y2="%[3]g" stroke="%s" stroke-width="2"%s/>`, x, x+16, y-4, s.Colour, s.Style.dashes())
	}
	fmt.Fprintf(&p.b, `<text fill="currentColor" x="%g" y="%g">%s</text>`, x+21, y, name)
}

func (s Style) dashes() string {
	if s == Dashed {
		return ` stroke-dasharray="5 4"`
	}
	return ""
}

func (p *plot) series(s Series) {
	if s.Style == Dots {
		for _, at := range s.Points {
			fmt.Fprintf(&p.b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s" fill-opacity=".7"/>`, p.x(at.X), p.y(at.Y), s.Colour)
		}
		return
	}
	fmt.Fprintf(&p.b, `<polyline fill="none" stroke="%s" stroke-width="2"%s points="`, s.Colour, s.Style.dashes())
	for _, at := range s.Points {
		fmt.Fprintf(&p.b, "%.1f,%.1f ", p.x(at.X), p.y(at.Y))
	}
	p.b.WriteString(`"/>`)
	if s.Style == Line {
		end := s.Points[len(s.Points)-1]
		fmt.Fprintf(&p.b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, p.x(end.X), p.y(end.Y), s.Colour)
	}
}

// mark draws a line from bottom to top, with its name where there is more room.
func (p *plot) mark(m Mark) {
	x, side, anchor := p.x(m.X), 5.0, "start"
	if x > (left+width)/2 {
		side, anchor = -5, "end"
	}
	fmt.Fprintf(&p.b, `<line x1="%.1f" x2="%.1f" y1="%g" y2="%g" stroke="currentColor" stroke-dasharray="2 3"/>`, x, x, p.top, p.bottom)
	fmt.Fprintf(&p.b, `<text fill="currentColor" x="%.1f" y="%g" text-anchor="%s">%s</text>`, x+side, p.bottom-7, anchor, template.HTMLEscapeString(m.Name))
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
func thin(points []Point, n int) []Point {
	if len(points) <= n {
		return points
	}
	group := (len(points) + n - 1) / n
	var out []Point
	for from := 0; from < len(points); from += group {
		part := points[from:min(from+group, len(points))]
		var sum Point
		for _, p := range part {
			sum.X += p.X / float64(len(part))
			sum.Y += p.Y / float64(len(part))
		}
		out = append(out, sum)
	}
	return out
}
