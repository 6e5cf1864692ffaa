package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parley-lm/parley/internal/kernel"
)

// Options say how carefully to measure, and on what. The zero value of the fields that name files stands for made-up work.
type Options struct {
	Threads int           // most threads; 0: all processors. One thread is measured too
	Repeats int           // windows of each measurement
	Window  time.Duration // how long one lasts, at least
	Small   bool          // sizes that take no time and mean nothing, for tests

	Data    string // Train: directory of Multi30K's training files
	Preset  string // Train: a language model of Presets
	Batch   int    // Train with Preset: rows of an update; 0: as is usual for it
	Context int    // Train with Preset: tokens of a row; 0: as is usual for it
	LoRA    int    // Train with Preset: the rank of a LoRA that is trained beside the model; 0: the model is
	Updates int    // Train with Data: how many are measured
	Model   string // Decode: model directory
	Source  string // Decode: file of sentences, if Model translates
	Shape   string // Decode: a language model of Shapes with random weights, instead of Model
	Half    bool   // Decode: hold a language model's matrices in bfloat16
	BF16    bool   // Train with Preset, and Decode of a language model: multiply in bfloat16
	Text    string // Tokenizer: file of text
	Vocab   int    // Tokenizer: size of the vocabulary
	Shipped string // Tokenizer: measure this tokenizer.json, SentencePiece model or file of ranks instead of learning one

	Progress func(what string) // told what is about to be measured; may be nil
}

// Spread is the outcome of repeated measurements.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Figure is one measured quantity.
type Figure struct {
	Bench   string  `json:"bench"` // "processor", "kernels", "train", "decode" or "tokenizer"
	Name    string  `json:"name"`
	Threads int     `json:"threads"`
	Unit    string  `json:"unit"`
	Value   Spread  `json:"value"`
	Share   *Spread `json:"share_of_peak,omitempty"` // of the multiply-adds that the same threads could have done meanwhile, or of the bytes they could have read
}

// Report is what was measured, and where.
type Report struct {
	Processor    string   `json:"processor"`
	Instructions string   `json:"instructions"` // that the kernels use
	Processors   int      `json:"processors"`   // that the program may use
	Go           string   `json:"go"`
	Figures      []Figure `json:"figures"`
}

// Bench holds the threads that are measured. Close it when done; one goroutine may use it.
type Bench struct {
	Options
	pools  []*kernel.Pool // of one thread, and of all
	report Report
}

// New starts the threads.
func New(o Options) *Bench {
	b := &Bench{Options: o, report: Report{
		Processor: processor(), Instructions: kernel.Active().String(), Processors: runtime.GOMAXPROCS(0), Go: runtime.Version(),
	}}
	b.Repeats = max(1, b.Repeats)
	b.pools = append(b.pools, kernel.NewPool(1))
	if all := kernel.NewPool(o.Threads); all.Threads() > 1 {
		b.pools = append(b.pools, all)
	} else {
		all.Close()
	}
	return b
}

// checkArithmetic reports a processor that cannot compute as Options say.
func (b *Bench) checkArithmetic() error {
	if b.BF16 && !kernel.HasBF16() {
		return errors.New("bench: this processor has no products of bfloat16 (AVX-512 BF16 or AMX), or PARLEY_ISA hides them")
	}
	return nil
}

// Close ends the threads.
func (b *Bench) Close() {
	for _, p := range b.pools {
		p.Close()
	}
}

// Report returns what has been measured so far.
func (b *Bench) Report() *Report { return &b.report }

func (b *Bench) say(format string, args ...any) {
	if b.Progress != nil {
		b.Progress(fmt.Sprintf(format, args...))
	}
}

func (b *Bench) add(f Figure) { b.report.Figures = append(b.report.Figures, f) }

// peak measures the multiply-adds per second of a pool, in floating-point operations.
func (b *Bench) peak(p *kernel.Pool) float64 { return p.PeakFMA(b.Window / 3) }

// series collects repeated measurements of one thing by one pool.
type series struct{ rates, shares []float64 }

// beside measures how often a second f can be called, between two measurements of the peak. ops is the floating-point
// operations of a call.
func (b *Bench) beside(p *kernel.Pool, s *series, ops float64, f func()) {
	before := b.peak(p)
	fastest := time.Duration(1 << 62)
	for end := time.Now().Add(b.Window); ; {
		start := time.Now()
		f()
		now := time.Now()
		fastest = min(fastest, max(1, now.Sub(start)))
		if now.After(end) {
			break
		}
	}
	s.add(1/fastest.Seconds(), ops, before, b.peak(p))
}

// add notes calls per second, and the share of the higher of two peaks that their operations make.
func (s *series) add(rate, ops, before, after float64) {
	s.rates = append(s.rates, rate)
	s.shares = append(s.shares, rate*ops/max(before, after))
}

// figure returns the rates times scale, in a unit of the caller's.
func (s *series) figure(bench, name string, threads int, unit string, scale float64) Figure {
	scaled := make([]float64, len(s.rates))
	for i, r := range s.rates {
		scaled[i] = r * scale
	}
	return Figure{Bench: bench, Name: name, Threads: threads, Unit: unit, Value: spread(scaled)}
}

// ofPeak adds the share to a figure.
func (s *series) ofPeak(f Figure) Figure {
	share := spread(s.shares)
	f.Share = &share
	return f
}

func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return Spread{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1]}
}

// WriteText prints the report as tables.
func (r *Report) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s, %d processors, kernels: %s, %s\n", r.Processor, r.Processors, r.Instructions, r.Go)
	for from := 0; from < len(r.Figures); {
		to := from + 1
		for to < len(r.Figures) && r.Figures[to].Bench == r.Figures[from].Bench {
			to++
		}
		writeTable(out, r.Figures[from:to])
		from = to
	}
	return out.Flush()
}

// writeTable prints the figures of one bench: names and units to the left of their columns, numbers to the right.
func writeTable(w io.Writer, figures []Figure) {
	rows := [][]string{{figures[0].Bench, "threads", "median", "min", "max", "unit", "of peak", "(min–max)"}}
	for _, f := range figures {
		row := []string{f.Name, fmt.Sprint(f.Threads), digits(f.Value.Median), digits(f.Value.Min), digits(f.Value.Max), f.Unit, "", ""}
		if f.Share != nil {
			row[6] = fmt.Sprintf("%.1f %%", 100*f.Share.Median)
			row[7] = fmt.Sprintf("(%.0f–%.0f)", 100*f.Share.Min, 100*f.Share.Max)
		}
		rows = append(rows, row)
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	fmt.Fprintln(w)
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 || i == 5 {
				line += cell + space + "  "
			} else {
				line += space + cell + "  "
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

// digits writes a number with three or more significant digits.
func digits(x float64) string {
	switch {
	case x >= 100 || x == 0:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// processor names the processor as Linux does, or by its architecture.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if key, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
