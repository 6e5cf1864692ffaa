package inspect

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"

	"github.com/parley-lm/parley/internal/harmless"
)

// View says what WriteText draws. The zero View is the overview: what each head looks at, and cross-attention on average.
type View struct {
	Layer, Head int // draw the weights of these; 0: all layers, all heads
	Width       int // columns of the terminal; 0: 100
}

// WriteText draws the report for a terminal.
func (r *Report) WriteText(w io.Writer, v View) error {
	p := newPicture(w, v)
	whose := "the model's own translation"
	if r.Forced {
		whose = "a given translation"
	}
	fmt.Fprintf(p, "%s\n→ %s\n  %s; log-probability %.2f, %.2f a token\n",
		printable(r.Text), printable(r.Translation), whose, r.LogProb, r.LogProb/float64(len(r.Target)))
	p.tokens("Source", r.Source)
	p.tokens("Target", r.Target)
	p.WriteString("\nSteps: the probability of each token, its rank unless that is 1, and the likeliest others\n")
	p.steps(1, r.Target, r.Steps)
	if p.selects() {
		for _, kind := range []Kind{Encoder, Decoder, Cross} {
			rows, columns := r.labels(kind)
			p.heads(kindNames[kind], r.Select(kind, v.Layer, v.Head), rows, columns)
		}
		return p.Flush()
	}
	p.WriteString(overviewTitle)
	for _, kind := range []Kind{Encoder, Decoder, Cross} {
		p.overview(string(kind), r.Select(kind, 0, 0))
	}
	all := r.Select(Cross, 0, 0)
	p.matrix(fmt.Sprintf("Cross-attention, mean of all %d heads", len(all)), false, r.Target, r.Source, Mean(all))
	return p.Flush()
}

var kindNames = map[Kind]string{Encoder: "Encoder self-attention", Decoder: "Decoder self-attention", Cross: "Cross-attention"}

// String names the place and its share.
func (l Looks) String() string { return fmt.Sprintf("%s %.0f %%", l.At, 100*l.Share) }

// picture draws the parts of reports.
type picture struct {
	*bufio.Writer
	View
}

func newPicture(w io.Writer, v View) *picture {
	if v.Width == 0 {
		v.Width = 100
	}
	return &picture{bufio.NewWriter(w), v}
}

// selects says whether single heads are to be drawn.
func (p *picture) selects() bool { return p.Layer != 0 || p.Head != 0 }

// tokens lists tokens with ids and neighbours.
func (p *picture) tokens(title string, list []Token) {
	fmt.Fprintf(p, "\n%s: %d tokens", title, len(list))
	if len(list) > 0 && len(list[0].Neighbours) > 0 {
		p.WriteString(", and those with the nearest embeddings (cosine)")
	}
	p.WriteString("\n")
	column := widest(list)
	for i, t := range list {
		line := fmt.Sprintf("%4d %6d  %s", i+1, t.ID, pad(label(t.Text, t.Token), column))
		for _, n := range t.Neighbours {
			line = p.extend(line, fmt.Sprintf("   %s %.2f", label(n.Text, n.Token), n.Cosine))
		}
		p.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// widest returns the columns of the widest token.
func widest(list []Token) int {
	column := 0
	for _, t := range list {
		column = max(column, uniseg.StringWidth(label(t.Text, t.Token)))
	}
	return column
}

// steps shows the probability of each token, numbered from the given number on, and what else was likely.
func (p *picture) steps(number int, list []Token, steps []Step) {
	column := widest(list)
	for i, s := range steps {
		t := list[i]
		rank := ""
		if s.Rank > 1 {
			rank = fmt.Sprintf("#%d", s.Rank)
		}
		line := fmt.Sprintf("%4d  %s %5.1f %% %s %-5s", number+i, pad(label(t.Text, t.Token), column), 100*s.Prob, bar(s.Prob, 12), rank)
		for _, c := range s.Top {
			if c.ID != s.ID {
				line = p.extend(line, fmt.Sprintf("  %s %.1f", label(c.Text, c.Token), 100*c.Prob))
			}
		}
		p.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// heads draws the weights of heads.
func (p *picture) heads(name string, heads []Head, rows, columns []Token) {
	for _, h := range heads {
		p.matrix(fmt.Sprintf("%s, layer %d, head %d: %s", name, h.Layer, h.Head, h.Looks), h.Kind == Decoder, rows, columns, h.Weights)
	}
}

// extend appends more to a line if there is room.
func (p *picture) extend(line, more string) string {
	if uniseg.StringWidth(line)+uniseg.StringWidth(more) > p.Width {
		return line
	}
	return line + more
}

// overviewTitle stands above what overview prints.
const overviewTitle = "\nAttention: where each head looks, and how much of its weight goes there (--layer, --head draw it)\n"

// overview says in a word what each head of a kind looks at.
func (p *picture) overview(name string, heads []Head) {
	const cell = 15
	columns := max(1, (p.Width-12)/cell)
	for layer := 1; ; layer++ {
		heads := slices.DeleteFunc(slices.Clone(heads), func(h Head) bool { return h.Layer != layer })
		if len(heads) == 0 {
			break
		}
		for i, h := range heads {
			switch {
			case i == 0:
				fmt.Fprintf(p, "  %-8s%2d", name, layer)
			case i%columns == 0:
				fmt.Fprintf(p, "\n%12s", "")
			}
			fmt.Fprintf(p, "%*s", cell, h.Looks)
		}
		p.WriteString("\n")
	}
}

// matrix draws weights as shades: a row for each query, a column for each key. Columns are as wide as their tokens where
// that fits, otherwise numbered, and cut into several pictures where even that does not fit. Where it is causal, no row has a
// key after itself.
func (p *picture) matrix(title string, causal bool, rows, columns []Token, weights [][]float32) {
	fmt.Fprintf(p, "\n%s\n", title)
	left := 4
	for _, t := range rows {
		left = max(left, uniseg.StringWidth(label(t.Text, t.Token)))
	}
	left = min(left, max(4, p.Width/3))
	names, cell := make([]string, len(columns)), 3
	for i, t := range columns {
		names[i] = label(t.Text, t.Token)
		cell = max(cell, uniseg.StringWidth(names[i]))
	}
	if (cell+1)*len(columns) > p.Width-left-1 {
		cell = 3
		for i := range names {
			names[i] = fmt.Sprintf("%3d", i+1)
		}
	}
	fit := max(1, (p.Width-left-1)/(cell+1))
	for from := 0; from < len(columns); from += fit {
		to := min(from+fit, len(columns))
		line := strings.Repeat(" ", left)
		for _, n := range names[from:to] {
			line += " " + pad(n, cell)
		}
		p.WriteString(strings.TrimRight(line, " ") + "\n")
		for i, t := range rows {
			line := pad(label(t.Text, t.Token), left)
			for j := from; j < to && (!causal || j <= i); j++ {
				line += " " + shade(weights[i][j], cell)
			}
			p.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
}

// shade fills a cell with a block that is the darker the larger the weight is.
func shade(w float32, width int) string {
	for _, s := range []struct {
		from  float32
		block string
	}{{0.6, "█"}, {0.35, "▓"}, {0.15, "▒"}, {0.05, "░"}} {
		if w >= s.from {
			return strings.Repeat(s.block, width)
		}
	}
	return pad("·", width)
}

// bar draws a share of width cells, to an eighth of a cell.
func bar(share float64, width int) string {
	eighths := int(share*float64(8*width) + 0.5)
	s := strings.Repeat("█", eighths/8)
	if part := eighths % 8; part > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[part-1])
	}
	return pad(s, width)
}

// label names a token in a picture: its text, a leading space shown as "▁"; or, where a part of a character is all there
// is, its spelling.
func label(text, spelled string) string {
	if text == "" || strings.ContainsRune(text, '\ufffd') {
		text = spelled
	}
	if rest, ok := strings.CutPrefix(text, " "); ok {
		text = "▁" + rest
	}
	return printable(text)
}

// printable replaces characters that would move the cursor or worse, also to the next line, and those that cannot be seen.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return '␊'
		case r == '\t':
			return '␉'
		case unicode.Is(unicode.Cf, r):
			return '·'
		}
		return harmless.Rune(r)
	}, text)
}

// pad fills or cuts s to width columns.
func pad(s string, width int) string {
	if n := uniseg.StringWidth(s); n <= width {
		return s + strings.Repeat(" ", width-n)
	}
	cut, used := "", 0
	for g := uniseg.NewGraphemes(s); g.Next() && used+g.Width() < width; used += g.Width() {
		cut += g.Str()
	}
	return cut + "…" + strings.Repeat(" ", max(0, width-used-1))
}
