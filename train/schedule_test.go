package train

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
)

// The rates are those of transformers' get_scheduler.
func TestSchedulesEqualTransformers(t *testing.T) {
	const path = "../../shared/fixtures/optim/schedules.json"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Skip("the shared fixtures are not here: ", err)
	}
	var cases []struct {
		Name   string    `json:"name"`
		Base   float64   `json:"base_lr"`
		Warmup int       `json:"num_warmup_steps"`
		Total  *int      `json:"num_training_steps"`
		LR     []float64 `json:"lr"`
		Args   struct {
			Cycles     *float64 `json:"num_cycles"`
			Timescale  *int     `json:"timescale"`
			MinRate    *float64 `json:"min_lr_rate"`
			Min        *float64 `json:"min_lr"`
			Decay      int      `json:"num_decay_steps"`
			Stable     int      `json:"num_stable_steps"`
			MinRatio   float64  `json:"min_lr_ratio"`
			DecayType  string   `json:"decay_type"`
			WarmupType string   `json:"warmup_type"`
		} `json:"arguments"`
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	checked := map[string]int{}
	for _, c := range cases {
		s, from := ScheduleRecipe{Warmup: c.Warmup}, 0
		switch c.Name {
		case "linear", "inverse_sqrt", "constant":
			s.Kind = c.Name
		case "constant_with_warmup":
			s.Kind = "constant"
		case "cosine", "cosine_with_min_lr":
			s.Kind = "cosine"
			if c.Args.MinRate != nil {
				s.Floor = *c.Args.MinRate
			}
			if c.Args.Min != nil {
				s.Floor = *c.Args.Min / c.Base
			}
		case "warmup_stable_decay":
			s.Kind, s.Decay, s.Shape, s.Floor = "wsd", c.Args.Decay, c.Args.DecayType, c.Args.MinRatio
			if s.Shape == "" {
				s.Shape = "cosine"
			}
			if s.Floor > 0 {
				from = c.Warmup // its warm-up begins at the floor, ours at 0
			}
		default:
			continue
		}
		if c.Args.Cycles != nil || c.Args.Timescale != nil {
			continue
		}
		total := c.Warmup + c.Args.Stable + c.Args.Decay
		if c.Total != nil {
			total = *c.Total
		}
		checked[s.Kind]++
		for step := from; step < len(c.LR); step++ {
			if got := c.Base * s.factor(step, total); math.Abs(got-c.LR[step]) > 1e-12 {
				t.Errorf("%s %+v: step %d: %g, want %g", c.Name, s, step, got, c.LR[step])
				break
			}
		}
	}
	if want := "map[constant:2 cosine:3 inverse_sqrt:1 linear:2 wsd:3]"; fmt.Sprint(checked) != want {
		t.Errorf("checked %v, want %v", checked, want)
	}
}

func TestSchedulesStayWithinTheirBounds(t *testing.T) {
	for _, kind := range []string{"inverse_sqrt", "linear", "cosine", "constant", "wsd"} {
		for _, warmup := range []int{0, 1, 10} {
			for _, floor := range []float64{0, 0.1} {
				s := ScheduleRecipe{Kind: kind, Warmup: warmup, Decay: 30, Shape: "1-sqrt", Floor: floor}
				for step := 1; step < 300; step++ {
					f := s.factor(step, 100)
					if !(f >= 0 && f <= 1) || step >= warmup && f < floor-1e-15 {
						t.Fatalf("%+v: step %d: %g", s, step, f)
					}
				}
				if f := s.factor(max(1, warmup), 100); f < 0.96 {
					t.Errorf("%+v: %g after the warm-up", s, f)
				}
			}
		}
	}
}

func TestDropoutRisesToItsFullRates(t *testing.T) {
	s := ScheduleRecipe{DropoutWarmup: 400}
	for step, want := range map[int]float32{1: 0.0025, 100: 0.25, 400: 1, 5000: 1} {
		if got := s.dropout(step); got != want {
			t.Errorf("in step %d the share is %g, want %g", step, got, want)
		}
	}
	if got := (ScheduleRecipe{}).dropout(1); got != 1 {
		t.Errorf("without a warm-up the first share is %g", got)
	}
}
