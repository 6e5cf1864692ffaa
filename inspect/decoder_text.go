package inspect

import (
	"fmt"
	"io"
	"strings"
)

// WriteText draws the report for a terminal.
func (r *TextReport) WriteText(w io.Writer, v View) error {
	p := newPicture(w, v)
	whose, written := "the model's own continuation", len(r.Tokens)-r.Prompted
	if r.Forced {
		whose = "a given continuation"
	}
	fmt.Fprintf(p, "%s\n→ %s\n  %s of %d tokens; log-probability %.2f, %.2f a token\n",
		printable(r.Prompt), printable(r.Continuation), whose, written, r.LogProb, r.LogProb/float64(max(1, written)))
	p.tokens("Read", r.Tokens)
	p.WriteString("\nSteps: the probability of each token that follows, its rank unless that is 1, and the likeliest others\n")
	last := len(r.Tokens) - 1
	p.steps(2, r.Tokens[1:r.Prompted], r.Steps[:r.Prompted-1])
	if written > 0 {
		p.WriteString("      from here on, the continuation\n")
		p.steps(r.Prompted+1, r.Tokens[r.Prompted:], r.Steps[r.Prompted-1:last])
	}
	p.next(r.Steps[last])
	if p.selects() {
		p.heads("Self-attention", r.Select(v.Layer, v.Head), r.Tokens, r.Tokens)
		return p.Flush()
	}
	p.lens(r, r.Prompted-1)
	p.WriteString(overviewTitle)
	p.overview("layer", r.Attention)
	return p.Flush()
}

// next says what would come after everything.
func (p *picture) next(s Step) {
	line := "      next would come"
	for _, c := range s.Top {
		line = p.extend(line, fmt.Sprintf("  %s %.1f", label(c.Text, c.Token), 100*c.Prob))
	}
	p.WriteString(line + "\n")
}

// lensCell is the width of a cell of the lens.
const lensCell = 12

// lens draws what each layer would have said of the positions from the given one on, the last layer on top.
func (p *picture) lens(r *TextReport, from int) {
	p.WriteString("\nLogit lens: what each layer would have said follows, and its probability in %\n")
	fit := max(1, (p.Width-8)/lensCell)
	for ; from < len(r.Tokens); from += fit {
		to := min(from+fit, len(r.Tokens))
		row := func(name string, cell func(i int) string) {
			line := pad(name, 8)
			for i := from; i < to; i++ {
				line += pad(cell(i), lensCell-1) + " "
			}
			p.WriteString(strings.TrimRight(line, " ") + "\n")
		}
		for i := len(r.Lens) - 1; i >= 0; i-- {
			name := fmt.Sprintf("layer %d", i)
			if i == 0 {
				name = "embed."
			}
			row(name, func(at int) string {
				best := r.Lens[i].Steps[at].Top[0]
				return pad(label(best.Text, best.Token), lensCell-5) + fmt.Sprintf("%4.0f", 100*best.Prob)
			})
		}
		row("after", func(at int) string { return label(r.Tokens[at].Text, r.Tokens[at].Token) })
		if to < len(r.Tokens) {
			p.WriteString("\n")
		}
	}
}
