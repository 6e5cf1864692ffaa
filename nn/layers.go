package nn

import (
	"math"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
)

// Linear is x·Wᵀ + b, or x·Wᵀ where there is no bias.
type Linear struct{ weight, bias *grad.Param }

// NewLinear asks for `name.weight` [out, in] and `name.bias` [out].
func NewLinear(s *Store, name string, in, out int, init Init) Linear {
	return Linear{s.Matrix(name+".weight", out, in, init), s.Vector(name+".bias", out, Zeros)}
}

// NewStackedLinear asks for several layers with the same input and computes them as one; their results stand side by side.
func NewStackedLinear(s *Store, names []string, in int, out []int, init Init) Linear {
	weights, biases := make([]string, len(names)), make([]string, len(names))
	for i, n := range names {
		weights[i], biases[i] = n+".weight", n+".bias"
	}
	return Linear{s.Stacked(weights, out, in, init), s.StackedVectors(biases, out, Zeros)}
}

// NewProjection is NewStackedLinear with a bias or without; one name makes a layer of its own.
func NewProjection(s *Store, names []string, in int, out []int, bias bool, init Init) Linear {
	if bias {
		return NewStackedLinear(s, names, in, out, init)
	}
	weights := make([]string, len(names))
	for i, n := range names {
		weights[i] = n + ".weight"
	}
	return Linear{weight: s.Stacked(weights, out, in, init)}
}

// NewConv1D asks for `name.weight`, stored as [in, out], and `name.bias` [out]: GPT-2's linear layer.
func NewConv1D(s *Store, name string, in, out int, init Init) Linear {
	return Linear{s.Conv1D(name+".weight", out, in, init), s.Vector(name+".bias", out, Zeros)}
}

// Forward returns act(x·Wᵀ + b), [N, out] for x [N, in].
func (l Linear) Forward(t *grad.Tape, x grad.Var, act kernel.Activation) grad.Var {
	return t.Linear(x, l.weight, l.bias, act)
}

// ForwardAdd returns residual + dropout(x·Wᵀ + b), [N, out].
func (l Linear) ForwardAdd(t *grad.Tape, x grad.Var, rate float32, residual grad.Var) grad.Var {
	return t.LinearAdd(x, l.weight, l.bias, rate, residual)
}

// LayerNorm normalises rows (Ba et al. 2016).
type LayerNorm struct {
	weight, bias *grad.Param
	eps          float32
}

// NewLayerNorm asks for `name.weight` and `name.bias`, both [width].
func NewLayerNorm(s *Store, name string, width int, eps float32) LayerNorm {
	return LayerNorm{s.Vector(name+".weight", width, Ones), s.Vector(name+".bias", width, Zeros), eps}
}

// Forward returns the normalised rows of x [N, width].
func (l LayerNorm) Forward(t *grad.Tape, x grad.Var) grad.Var {
	return t.LayerNorm(x, l.weight, l.bias, l.eps)
}

// RMSNorm normalises rows by their root mean square (Zhang and Sennrich 2019).
type RMSNorm struct {
	weight *grad.Param
	eps    float32
}

// NewRMSNorm asks for `name.weight` [width].
func NewRMSNorm(s *Store, name string, width int, eps float32) RMSNorm {
	return RMSNorm{s.Vector(name+".weight", width, Ones), eps}
}

// Forward returns the normalised rows of x [N, width].
func (l RMSNorm) Forward(t *grad.Tape, x grad.Var) grad.Var {
	return t.RMSNorm(x, l.weight, l.eps)
}

// FeedForward is the position-wise network of a Transformer block: in → hidden → in.
type FeedForward struct {
	up, down Linear
	act      kernel.Activation
	between  float32 // dropout after the activation
}

// NewFeedForward asks for two linear layers under the given names.
func NewFeedForward(s *Store, up, down string, width, hidden int, act kernel.Activation, activationDropout float32, init Init) FeedForward {
	return FeedForward{NewLinear(s, up, width, hidden, init), NewLinear(s, down, hidden, width, init), act, activationDropout}
}

// NewConv1DFeedForward is NewFeedForward of GPT-2's layers, without dropout between them.
func NewConv1DFeedForward(s *Store, up, down string, width, hidden int, act kernel.Activation, upInit, downInit Init) FeedForward {
	return FeedForward{up: NewConv1D(s, up, width, hidden, upInit), down: NewConv1D(s, down, hidden, width, downInit), act: act}
}

// ForwardAdd returns residual + dropout(down(act(up(x)))), [N, width].
func (f FeedForward) ForwardAdd(t *grad.Tape, x grad.Var, rate float32, residual grad.Var) grad.Var {
	h := t.Dropout(f.up.Forward(t, x, f.act), f.between)
	return f.down.ForwardAdd(t, h, rate, residual)
}

// GatedFeedForward is the position-wise network of the Llama family: down(act(gate(x))·up(x)) (Shazeer 2020).
type GatedFeedForward struct {
	gateUp, down Linear
	act          kernel.Activation
}

// NewGatedFeedForward asks for gate_proj, up_proj and down_proj under the name.
func NewGatedFeedForward(s *Store, name string, width, hidden int, act kernel.Activation, bias bool, upInit, downInit Init) GatedFeedForward {
	return GatedFeedForward{
		gateUp: NewProjection(s, []string{name + ".gate_proj", name + ".up_proj"}, width, []int{hidden, hidden}, bias, upInit),
		down:   NewProjection(s, []string{name + ".down_proj"}, hidden, []int{width}, bias, downInit),
		act:    act,
	}
}

// ForwardAdd returns residual + dropout(down(act(gate(x))·up(x))), [N, width].
func (f GatedFeedForward) ForwardAdd(t *grad.Tape, x grad.Var, rate float32, residual grad.Var) grad.Var {
	return f.down.ForwardAdd(t, t.Gated(f.gateUp.Forward(t, x, kernel.None), f.act), rate, residual)
}

// Sinusoids returns the fixed positions of Vaswani et al. (2017) for n positions, as Marian and its models lay them out: sines
// in the first half of a row, cosines in the second.
func Sinusoids(n, width int) kernel.Mat {
	m := kernel.NewMat(make([]float32, n*width), n, width)
	half := (width + 1) / 2
	for pos := range n {
		row := m.Row(pos)
		for j := range width {
			angle := float64(pos) / math.Pow(10000, float64(2*(j/2))/float64(width))
			if j%2 == 0 {
				row[j/2] = float32(math.Sin(angle))
			} else {
				row[half+j/2] = float32(math.Cos(angle))
			}
		}
	}
	return m
}
