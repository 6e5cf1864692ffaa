package model

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/parley-lm/parley/nn"
)

// RotaryConfig says by which angles heads turn with their position (Su et al. 2021), and how these are stretched for
// contexts longer than the one the model was first trained on.
type RotaryConfig struct {
	Type   string  // default, linear, llama3 or yarn
	Theta  float64 // pair j of a head of D turns by Theta^(−2j/D) a position
	Factor float64 // the context is so many times longer (linear, llama3, yarn)

	Original int // positions before it was stretched (llama3, yarn)

	LowFrequency, HighFrequency float64 // llama3: turns within Original below and above which a pair is stretched or left

	BetaFast, BetaSlow float64 // yarn: the same, in turns, from the top
	Truncate           bool    // yarn: the range of pairs between them is widened to whole pairs
	Magnitude          float64 // yarn: of cosines and sines
}

// rotaryTypes are the values of rope_type that Parley computes, sorted.
var rotaryTypes = []string{"default", "linear", "llama3", "yarn"}

// rotarySpelling is the object rope_parameters of transformers 5, or rope_scaling of transformers 4.
type rotarySpelling struct {
	Type            *string  `json:"rope_type"`
	OldType         *string  `json:"type"`
	Theta           *float64 `json:"rope_theta"`
	Factor          *float64 `json:"factor"`
	Original        *float64 `json:"original_max_position_embeddings"`
	LowFrequency    *float64 `json:"low_freq_factor"`
	HighFrequency   *float64 `json:"high_freq_factor"`
	BetaFast        *float64 `json:"beta_fast"`
	BetaSlow        *float64 `json:"beta_slow"`
	AttentionFactor *float64 `json:"attention_factor"`
	MScale          *float64 `json:"mscale"`
	MScaleAllDim    *float64 `json:"mscale_all_dim"`
	Truncate        *bool    `json:"truncate"`
	Partial         *float64 `json:"partial_rotary_factor"`
}

// rotaryKeys are the keys of config.json that tell of rotary positions, of both generations.
type rotaryKeys struct {
	Parameters map[string]json.RawMessage `json:"rope_parameters"`
	Scaling    map[string]json.RawMessage `json:"rope_scaling"`
	Theta      *float64                   `json:"rope_theta"`
	Partial    *float64                   `json:"partial_rotary_factor"`
	Original   *float64                   `json:"original_max_position_embeddings"`
}

// config resolves the keys as transformers does: rope_scaling counts before rope_parameters, what stands inside before
// what stands outside, and theta is 10000 if nothing says otherwise.
func (k rotaryKeys) config(maxPositions int) (RotaryConfig, error) {
	key, object := "rope_scaling", k.Scaling
	if len(object) == 0 {
		key, object = "rope_parameters", k.Parameters
	}
	var s rotarySpelling
	for name, raw := range object {
		if len(raw) > 0 && raw[0] == '{' {
			return RotaryConfig{}, fmt.Errorf("%s.%s is an object; one kind of rotation for all layers is supported", key, name)
		}
	}
	if err := decodeObject(object, &s, key+"."); err != nil {
		return RotaryConfig{}, err
	}
	c := RotaryConfig{
		Type: first(s.Type, s.OldType, new("default")), Theta: first(s.Theta, k.Theta, new(10000.0)),
		Factor: 1, Magnitude: 1,
	}
	if !slices.Contains(rotaryTypes, c.Type) {
		return c, fmt.Errorf("%s.rope_type is %q; supported: %s", key, c.Type, strings.Join(rotaryTypes, ", "))
	}
	if partial := first(s.Partial, k.Partial, new(1.0)); partial != 1 {
		return c, fmt.Errorf("partial_rotary_factor is %g; only whole heads are turned, so it must be 1", partial)
	}
	original := first(k.Original, s.Original, new(float64(maxPositions)))
	if c.Type == "llama3" || c.Type == "yarn" {
		if !(original >= 1 && original <= math.MaxInt32) || original != math.Trunc(original) {
			return c, fmt.Errorf("%s.original_max_position_embeddings is %g, must be a number of positions", key, original)
		}
		c.Original = int(original)
	}
	if err := c.scaling(&s, object, key, maxPositions); err != nil {
		return c, err
	}
	return c, c.validate(key)
}

// scaling takes what the type asks for beyond theta.
func (c *RotaryConfig) scaling(s *rotarySpelling, object map[string]json.RawMessage, key string, maxPositions int) error {
	need := func(name string, to *float64, value *float64) error {
		if value == nil {
			return fmt.Errorf("%s.%s is missing; rope_type %q needs it", key, name, c.Type)
		}
		*to = *value
		return nil
	}
	if c.Type == "default" {
		return nil
	}
	factor := s.Factor
	if _, there := object["factor"]; c.Type == "yarn" && there && factor == nil { // null
		factor = new(float64(maxPositions) / float64(c.Original))
	}
	if err := need("factor", &c.Factor, factor); err != nil {
		return err
	}
	switch c.Type {
	case "llama3":
		if err := need("low_freq_factor", &c.LowFrequency, s.LowFrequency); err != nil {
			return err
		}
		return need("high_freq_factor", &c.HighFrequency, s.HighFrequency)
	case "yarn":
		c.BetaFast, c.BetaSlow, c.Truncate = nonZero(s.BetaFast, 32), nonZero(s.BetaSlow, 1), first(s.Truncate, new(true))
		c.Magnitude = yarnMagnitude(c.Factor, nonZero(s.MScale, 0), nonZero(s.MScaleAllDim, 0))
		if s.AttentionFactor != nil {
			c.Magnitude = *s.AttentionFactor
		}
	}
	return nil
}

// yarnMagnitude is what Peng et al. (2023, YaRN) multiply cosines and sines with, so that attention keeps its sharpness.
func yarnMagnitude(factor, mscale, mscaleAllDim float64) float64 {
	of := func(m float64) float64 {
		if factor <= 1 {
			return 1
		}
		return 0.1*m*math.Log(factor) + 1
	}
	if mscale != 0 && mscaleAllDim != 0 {
		return of(mscale) / of(mscaleAllDim)
	}
	return of(1)
}

func (c *RotaryConfig) validate(key string) error {
	for _, k := range []struct {
		name  string
		value float64
		min   float64
	}{{"rope_theta", c.Theta, 0}, {"factor", c.Factor, 0}, {"attention_factor", c.Magnitude, 0}} {
		if !(k.value > k.min && !math.IsInf(k.value, 0)) {
			return fmt.Errorf("%s.%s is %g, must be above %g", key, k.name, k.value, k.min)
		}
	}
	switch {
	case c.Type == "llama3" && !(c.LowFrequency > 0 && c.HighFrequency > c.LowFrequency):
		return fmt.Errorf("%s.high_freq_factor is %g, must be above low_freq_factor %g, and that above 0", key, c.HighFrequency, c.LowFrequency)
	case c.Type == "yarn" && !(c.BetaSlow > 0 && c.BetaFast >= c.BetaSlow):
		return fmt.Errorf("%s.beta_fast is %g, must be at least beta_slow %g, and that above 0", key, c.BetaFast, c.BetaSlow)
	case c.Type == "yarn" && c.Theta <= 1:
		return fmt.Errorf("%s.rope_theta is %g, must be above 1 for yarn", key, c.Theta)
	}
	return nil
}

// rotary makes the angles for heads of the given width.
func (c RotaryConfig) rotary(headDim int) *nn.Rotary {
	return nn.NewRotary(c.frequencies(headDim), c.Magnitude)
}

// frequencies returns by how much each pair of a head turns a position, rounded to float32 where transformers does.
func (c RotaryConfig) frequencies(headDim int) []float32 {
	f := make([]float32, headDim/2)
	for j := range f {
		period := float32(math.Pow(c.Theta, float64(float32(2*j)/float32(headDim)))) // in positions, by 2π
		f[j] = 1 / period
		switch c.Type {
		case "linear":
			f[j] /= float32(c.Factor)
		case "llama3":
			f[j] = c.llama3(f[j])
		case "yarn":
			keep := 1 - c.yarnRamp(j, headDim)
			f[j] = 1/(float32(c.Factor)*period)*(1-keep) + f[j]*keep
		}
	}
	return f
}

// Divisors returns by how much slower each pair of a head turns than it would without scaling, [headDim/2].
func (c RotaryConfig) Divisors(headDim int) []float32 {
	plain := RotaryConfig{Type: "default", Theta: c.Theta}.frequencies(headDim)
	for j, f := range c.frequencies(headDim) {
		plain[j] /= f
	}
	return plain
}

// llama3 leaves fast pairs as they are, stretches slow ones, and goes from the one to the other between (Llama 3.1).
func (c RotaryConfig) llama3(f float32) float32 {
	turns := float64(c.Original) * float64(f) / (2 * math.Pi) // within the original context
	stretched := float64(f) / c.Factor
	switch {
	case turns > c.HighFrequency:
		return f
	case turns < c.LowFrequency:
		return float32(stretched)
	}
	smooth := (turns - c.LowFrequency) / (c.HighFrequency - c.LowFrequency)
	return float32((1-smooth)*stretched + smooth*float64(f))
}

// yarnRamp is how far pair j is stretched: 0 where it turns BetaFast times or more within the original context, 1 where
// it turns BetaSlow times or less.
func (c RotaryConfig) yarnRamp(j, headDim int) float32 {
	pairOf := func(turns float64) float64 { // the pair, as a real number, that turns so many times
		return float64(headDim) * math.Log(float64(c.Original)/(turns*2*math.Pi)) / (2 * math.Log(c.Theta))
	}
	low, high := pairOf(c.BetaFast), pairOf(c.BetaSlow)
	if c.Truncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(headDim-1))
	if low == high {
		high += 0.001
	}
	return min(max((float32(j)-float32(low))/float32(high-low), 0), 1)
}

// fields spells the configuration as transformers 4 does, which transformers 5 reads too.
func (c RotaryConfig) fields(to map[string]any) {
	to["rope_theta"], to["rope_scaling"] = c.Theta, nil
	scaling := map[string]any{"rope_type": c.Type, "factor": c.Factor}
	switch c.Type {
	case "default":
		return
	case "llama3":
		scaling["original_max_position_embeddings"] = c.Original
		scaling["low_freq_factor"], scaling["high_freq_factor"] = c.LowFrequency, c.HighFrequency
	case "yarn":
		scaling["original_max_position_embeddings"] = c.Original
		scaling["beta_fast"], scaling["beta_slow"], scaling["truncate"] = c.BetaFast, c.BetaSlow, c.Truncate
		scaling["attention_factor"] = c.Magnitude
	}
	to["rope_scaling"] = scaling
}

// first returns the first value that is there; the last is.
func first[T any](values ...*T) T {
	i := slices.IndexFunc(values, func(v *T) bool { return v != nil })
	return *values[i]
}

// nonZero returns a value that is there and not 0, or what transformers takes instead.
func nonZero(v *float64, otherwise float64) float64 {
	if v == nil || *v == 0 {
		return otherwise
	}
	return *v
}
