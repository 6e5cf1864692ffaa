package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/parley-lm/parley/internal/figure"
)

// History is what metrics.jsonl says.
type History struct {
	Steps       []StepLine
	Validations []ValidationLine
	Tests       []TestLine
}

// ReadHistory reads the metrics of a run directory, none where there are none yet; lines of other kinds are passed over.
func ReadHistory(dir string) (*History, error) {
	path := filepath.Join(dir, metricsFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &History{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := &History{}
	for d := json.NewDecoder(f); ; {
		var raw json.RawMessage
		if err := d.Decode(&raw); err == io.EOF {
			return h, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if err := h.add(raw); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
}

func (h *History) add(raw json.RawMessage) error {
	var line struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(raw, &line); err != nil {
		return err
	}
	switch line.Kind {
	case "step":
		h.Steps = append(h.Steps, StepLine{})
		return json.Unmarshal(raw, &h.Steps[len(h.Steps)-1])
	case "validation":
		h.Validations = append(h.Validations, ValidationLine{})
		return json.Unmarshal(raw, &h.Validations[len(h.Validations)-1])
	case "test":
		h.Tests = append(h.Tests, TestLine{})
		return json.Unmarshal(raw, &h.Tests[len(h.Tests)-1])
	}
	return nil
}

// Charts are the curves that hold anything, with one for everything that the objective measured; their titles are the names.
func (h *History) Charts() []figure.Chart {
	var training, rate, speed, loss, bleu, bits []figure.Point
	for _, s := range h.Steps {
		x := float64(s.Step)
		training = append(training, figure.Point{X: x, Y: s.Loss})
		rate = append(rate, figure.Point{X: x, Y: s.LR})
		speed = append(speed, figure.Point{X: x, Y: s.TokensPerSec})
	}
	for _, v := range h.Validations {
		if v.What != "weights" && v.What != "moving average" {
			continue // the comparison at the end
		}
		x := float64(v.Step)
		loss = append(loss, figure.Point{X: x, Y: v.Loss})
		if v.BLEU >= 0 {
			bleu = append(bleu, figure.Point{X: x, Y: v.BLEU})
		}
		if v.BitsPerByte > 0 {
			bits = append(bits, figure.Point{X: x, Y: v.BitsPerByte})
		}
	}
	sets := [][]figure.Series{
		{{Name: "training loss", Colour: figure.Blue, Points: training}, {Name: "validation loss", Colour: figure.Orange, Points: loss}},
		{{Name: "validation BLEU", Colour: figure.Orange, Points: bleu}},
		{{Name: "validation bits a byte", Colour: figure.Orange, Points: bits}},
	}
	sets = append(sets, h.measured()...)
	sets = append(sets,
		[]figure.Series{{Name: "learning rate", Colour: figure.Violet, Points: rate}},
		[]figure.Series{{Name: "target tokens a second", Colour: figure.Green, Points: speed}})
	var list []figure.Chart
	for _, set := range sets {
		if c := (figure.Chart{Title: set[0].Name, Series: set, Last: true}); !c.Empty() {
			list = append(list, c)
		}
	}
	return list
}

// measured returns the curves of what the objective measured, those of updates beside those of validations.
func (h *History) measured() (sets [][]figure.Series) {
	at := map[string]int{} // of a name in sets
	add := func(side int, step int, m Measures) {
		for _, one := range m {
			i, ok := at[one.Name]
			if !ok {
				i = len(sets)
				at[one.Name] = i
				name := strings.ReplaceAll(one.Name, "_", " ")
				sets = append(sets, []figure.Series{{Name: name, Colour: figure.Blue}, {Name: "validation " + name, Colour: figure.Orange}})
			}
			if finite(one.Value) {
				s := &sets[i][side]
				s.Points = append(s.Points, figure.Point{X: float64(step), Y: one.Value})
			}
		}
	}
	for _, s := range h.Steps {
		add(0, s.Step, s.Measures)
	}
	for _, v := range h.Validations {
		add(1, v.Step, v.Measures)
	}
	return sets
}
