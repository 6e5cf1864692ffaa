package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/parley-lm/parley/eval"
)

// StepReport is what one update was like.
type StepReport struct {
	Step, Updates int // of so many at most
	Epoch         int // from 0
	Loss          float64
	LR            float64
	GradNorm      float64  // before clipping
	Sentences     int      // of this update; of a language model, rows
	TargetTokens  int      // of this update
	TokensPerSec  float64  // target tokens, over the last updates
	Seconds       float64  // training time so far
	Left          float64  // seconds to the last update at the present speed, without validations
	Measures      Measures // what else the objective measures; valid until the next update
}

// Score is the outcome of one validation.
type Score struct {
	Step int     `json:"step"`
	Loss float64 `json:"loss"` // mean of −log p over the tokens
	BLEU float64 `json:"bleu"` // −1: not measured

	BitsPerByte float64  `json:"bits_per_byte,omitzero"` // of a language model
	Measures    Measures `json:"measures,omitempty"`     // what else the objective measures
}

// Sample is one sentence of the validation set with what the model made of it, or the beginning of a text with how it went
// on and how the model goes on.
type Sample struct {
	Source     string `json:"source"`
	Reference  string `json:"reference"`
	Hypothesis string `json:"hypothesis"`
}

// ValidationReport is what a validation found.
type ValidationReport struct {
	Score
	What    string // "weights", "moving average", "average of the last N"
	Best    bool   // better than all before
	Seconds float64
	Samples []Sample

	Calibration *eval.Calibration // of the probabilities of its choices, where there are such
}

// Progress is told what a run does, in the run's own goroutine. Step is called after every update and must not allocate if
// the run is not to.
type Progress interface {
	Begin(Plan)
	Step(StepReport)
	Validation(ValidationReport)
	Note(string) // anything else worth a line
}

// ValidationLine is a line of metrics.jsonl, as are [StepLine] and [TestLine].
type ValidationLine struct {
	Kind string `json:"kind"` // "validation"
	Score
	What    string   `json:"what"`
	Epoch   int      `json:"epoch"`
	Best    bool     `json:"best"`
	Seconds float64  `json:"seconds"`
	Samples []Sample `json:"samples,omitempty"`

	Calibration *eval.Calibration `json:"calibration,omitempty"`
}

// StepLine is an update.
type StepLine struct {
	Kind         string   `json:"kind"` // "step"
	Step         int      `json:"step"`
	Epoch        int      `json:"epoch"`
	Loss         float64  `json:"loss"`
	LR           float64  `json:"lr"`
	GradNorm     float64  `json:"grad_norm"`
	TargetTokens int      `json:"target_tokens"`
	TokensPerSec float64  `json:"tokens_per_second"`
	Seconds      float64  `json:"seconds"`
	Measures     Measures `json:"measures,omitempty"`
}

// metrics appends lines to metrics.jsonl.
type metrics struct {
	file  *os.File
	path  string
	bytes int64
	line  []byte
}

// openMetrics opens the file and cuts it back to the given length.
func openMetrics(path string, bytes int64) (*metrics, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	stat, err := f.Stat()
	if err == nil {
		bytes = min(bytes, stat.Size())
		err = f.Truncate(bytes)
	}
	if err == nil {
		_, err = f.Seek(bytes, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &metrics{file: f, path: path, bytes: bytes}, nil
}

// step writes a line for an update, without allocating.
func (m *metrics) step(s StepReport) error {
	b := append(m.line[:0], `{"kind":"step","step":`...)
	b = strconv.AppendInt(b, int64(s.Step), 10)
	b = strconv.AppendInt(append(b, `,"epoch":`...), int64(s.Epoch), 10)
	b = appendNumber(append(b, `,"loss":`...), s.Loss)
	b = appendNumber(append(b, `,"lr":`...), s.LR)
	b = appendNumber(append(b, `,"grad_norm":`...), s.GradNorm)
	b = strconv.AppendInt(append(b, `,"target_tokens":`...), int64(s.TargetTokens), 10)
	b = appendNumber(append(b, `,"tokens_per_second":`...), s.TokensPerSec)
	b = appendNumber(append(b, `,"seconds":`...), s.Seconds)
	if len(s.Measures) > 0 {
		b = s.Measures.append(append(b, `,"measures":`...), 6)
	}
	m.line = append(b, "}\n"...)
	return m.write()
}

// appendNumber appends six digits of x; what JSON cannot say is null.
func appendNumber(b []byte, x float64) []byte { return appendDigits(b, x, 6) }

func appendDigits(b []byte, x float64, digits int) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, x, 'g', digits, 64)
}

// add writes any value as a line.
func (m *metrics) add(line any) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	m.line = append(append(m.line[:0], text...), '\n')
	return m.write()
}

func (m *metrics) write() error {
	n, err := m.file.Write(m.line)
	m.bytes += int64(n)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", m.path, err)
	}
	return nil
}

// sync makes sure that what was written is on the disk.
func (m *metrics) sync() error {
	if err := m.file.Sync(); err != nil {
		return fmt.Errorf("cannot write %s: %w", m.path, err)
	}
	return nil
}

func (m *metrics) close() error { return m.file.Close() }
