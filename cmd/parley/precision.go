package main

import (
	"github.com/spf13/pflag"

	"github.com/parley-lm/parley"
)

// precisionFlag is as what a model's matrices are held, or what is multiplied with them; it is a [pflag.Value].
type precisionFlag struct{ value parley.Precision }

func (p *precisionFlag) define(f *pflag.FlagSet) {
	p.value = parley.Float32
	f.Var(p, "precision", "hold matrices as f32 or, in half the memory, as bf16")
}

// defineArithmetic is define for what is multiplied.
func (p *precisionFlag) defineArithmetic(f *pflag.FlagSet) {
	p.value = parley.Float32
	f.Var(p, "arithmetic", "multiply with matrices in f32 or, faster where the processor has it, in bf16")
}

// option sets it.
func (p *precisionFlag) option() parley.Option { return parley.WithPrecision(p.value) }

func (p *precisionFlag) String() string { return string(p.value) }

// Type is what help calls the value.
func (p *precisionFlag) Type() string { return "string" }

// Set reads the value.
func (p *precisionFlag) Set(text string) error {
	switch v := parley.Precision(text); v {
	case parley.Float32, parley.BFloat16:
		p.value = v
		return nil
	}
	return usagef("must be %s or %s", parley.Float32, parley.BFloat16)
}
