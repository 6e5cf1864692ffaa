package model

import "fmt"

// EarlyStopping says when beam search for one sentence ends, in the words of transformers: early_stopping of
// generation_config.json, where it is false, true or "never".
type EarlyStopping uint8

const (
	// StopHeuristic (false) ends when the best running hypothesis, at its present length, is no better than the worst
	// finished one.
	StopHeuristic EarlyStopping = iota
	// StopFirst (true) ends as soon as there are as many finished hypotheses as beams.
	StopFirst
	// StopNever ("never") is StopHeuristic with the length at which a running hypothesis would score best.
	StopNever
)

var earlyStopping = [...]string{StopHeuristic: "false", StopFirst: "true", StopNever: `"never"`}

// MarshalJSON writes false, true or "never".
func (e EarlyStopping) MarshalJSON() ([]byte, error) { return []byte(earlyStopping[e]), nil }

// UnmarshalJSON reads false, true or "never".
func (e *EarlyStopping) UnmarshalJSON(data []byte) error {
	for i, spelling := range earlyStopping {
		if string(data) == spelling {
			*e = EarlyStopping(i)
			return nil
		}
	}
	return fmt.Errorf(`early_stopping must be false, true or "never", not %.40s`, data)
}
