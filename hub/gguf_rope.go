package hub

import (
	"fmt"
	"math"

	"github.com/parley-lm/parley/model"
)

// rope reads how rotary positions are scaled.
func (g *ggufFile) rope(arch string, fields map[string]any) error {
	theta, err := g.floatOr(arch+".rope.freq_base", 10000)
	if err != nil {
		return err
	}
	fields["rope_theta"] = float32(theta)
	scaling := arch + ".rope.scaling."
	kind, err := g.textOr(scaling+"type", "linear") // llama.cpp's default, by a factor of 1
	if err != nil {
		return err
	}
	factor, err := g.floatOr(scaling+"factor", 0)
	if err == nil && factor == 0 {
		factor, err = g.floatOr(arch+".rope.scale_linear", 0)
	}
	if err != nil {
		return err
	}
	magnitude, err := g.floatOr(scaling+"attn_factor", 1)
	if err != nil {
		return err
	}
	_, divided := g.Info(ropeDivisors)
	switch {
	case kind == "yarn" && !divided:
		return g.yarn(scaling, max(factor, 1), magnitude, fields)
	case kind != "linear" && kind != "none":
		return g.errorf(scaling+"type", "none, linear or yarn (and without "+ropeDivisors+")")
	case magnitude != 1:
		return g.errorf(scaling+"attn_factor", "1 where rope.scaling.type is not yarn")
	case divided && arch == "llama":
		return g.llama3(theta, fields)
	case kind == "linear" && factor != 0 && factor != 1:
		fields["rope_scaling"] = map[string]any{"rope_type": "linear", "factor": float32(factor)}
	}
	return nil
}

// yarn reads the scaling of Peng et al. (2023).
func (g *ggufFile) yarn(scaling string, factor, magnitude float64, fields map[string]any) error {
	spelling := map[string]any{"rope_type": "yarn", "factor": float32(factor), "attention_factor": float32(magnitude * yarnMagnitude(factor))}
	for key, to := range map[string]string{
		"yarn_attn_factor": "attention_factor", "yarn_beta_fast": "beta_fast", "yarn_beta_slow": "beta_slow",
		"original_context_length": "original_max_position_embeddings",
	} {
		if g.has(scaling + key) {
			v, err := g.float(scaling + key)
			if err != nil {
				return err
			}
			spelling[to] = float32(v)
		}
	}
	if _, given := spelling["original_max_position_embeddings"]; !given {
		spelling["original_max_position_embeddings"] = fields["max_position_embeddings"]
	}
	fields["rope_scaling"] = spelling
	return nil
}

// llama3 finds the scaling of Llama 3 in the divisors that it became. They do not say how long the first context was, only
// the number of turns within it at which pairs begin to be stretched, for which Llama 3 has 1 and 4.
func (g *ggufFile) llama3(theta float64, fields map[string]any) error {
	headDim := fields["head_dim"].(int64)
	info, err := g.find(ropeDivisors, F32)
	if err != nil {
		return err
	}
	if len(info.Shape) != 1 || int64(info.Shape[0]) != headDim/2 {
		return fmt.Errorf("%s: tensor %q has shape %v; heads of %d numbers ask for [%d]", g.path, ropeDivisors, info.Shape, headDim, headDim/2)
	}
	divisors, _, err := g.Float32(ropeDivisors)
	if err != nil {
		return err
	}
	c, ok := llama3From(divisors, theta)
	if !ok {
		return fmt.Errorf("%s: tensor %q is not the scaling of Llama 3, the only one that Parley knows in this form", g.path, ropeDivisors)
	}
	fields["rope_scaling"] = map[string]any{
		"rope_type": c.Type, "factor": c.Factor, "low_freq_factor": c.LowFrequency, "high_freq_factor": c.HighFrequency,
		"original_max_position_embeddings": c.Original,
	}
	return nil
}

// llama3From returns a scaling of Llama 3 that has the given divisors, if there is one.
//
// With s = 1/divisor, a pair of frequency f is kept (s = 1) where it turns more than high times within the first context of
// length n, stretched (s = 1/factor) where less than low times, and between them s is a straight line in the turns nf/2π.
func llama3From(divisors []float32, theta float64) (c model.RotaryConfig, ok bool) {
	c = model.RotaryConfig{Type: "llama3", Theta: theta, Magnitude: 1, LowFrequency: 1, HighFrequency: 4}
	for _, d := range divisors {
		c.Factor = max(c.Factor, float64(d))
	}
	c.Factor = math.Round(c.Factor*1e4) / 1e4
	if !(c.Factor >= 1 && c.Factor < 1e6) {
		return c, false
	}
	// Points of the line, with smooth from 0 at low to 1 at high.
	var turns, smooths []float64 // turns: of a context of one position
	fastest, slowest := math.Inf(1), 0.0
	for j, d := range divisors {
		f := math.Pow(theta, -float64(j)/float64(len(divisors))) / (2 * math.Pi)
		smooth := (1/float64(d) - 1/c.Factor) / (1 - 1/c.Factor)
		switch {
		case smooth > 0.9999:
			fastest = min(fastest, f)
		case smooth < 0.0001:
			slowest = max(slowest, f)
		default:
			turns, smooths = append(turns, f), append(smooths, smooth)
		}
	}
	length := 8192.0
	switch n := len(turns); {
	case c.Factor == 1:
	case n > 1: // two points make a line
		slope := (smooths[0] - smooths[n-1]) / (turns[0] - turns[n-1])
		offset := smooths[0] - slope*turns[0]
		// smooth = (n·f − low)/(high − low), and low is 1
		c.HighFrequency = 1 + math.Round(-1e4/offset)/1e4
		length = slope * (c.HighFrequency - 1)
	case n == 1:
		length = (1 + smooths[0]*3) / turns[0]
	case !(slowest*length < 1 && fastest*length > 4): // any length between will do
		length = math.Sqrt(1 / slowest * 4 / fastest)
	}
	if !(length >= 1 && length < math.MaxInt32) || !(c.HighFrequency > 1) {
		return c, false
	}
	c.Original = int(math.Round(length))
	for j, d := range c.Divisors(2 * len(divisors)) {
		if math.Abs(float64(d/divisors[j])-1) > 1e-4 || divisors[j] != divisors[j] {
			return c, false
		}
	}
	return c, true
}
