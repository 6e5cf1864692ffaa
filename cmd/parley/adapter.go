package main

import (
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/parley-lm/parley"
)

// adapterFlag is LoRA adapters, each DIR or DIR:WEIGHT; it is a [pflag.Value].
type adapterFlag []weightedAdapter

type weightedAdapter struct {
	dir    string
	weight float64
}

func (a *adapterFlag) define(f *pflag.FlagSet) {
	f.Var(a, "adapter", "DIR[:WEIGHT] of a LoRA adapter; can be given several times, and they add up")
}

// options are those of [parley.Open].
func (a adapterFlag) options() []parley.Option {
	var list []parley.Option
	for _, one := range a {
		list = append(list, parley.WithAdapter(one.dir, one.weight))
	}
	return list
}

func (a *adapterFlag) String() string {
	var names []string
	for _, one := range *a {
		names = append(names, one.dir)
	}
	return strings.Join(names, ", ")
}

// Type is what help calls the value.
func (a *adapterFlag) Type() string { return "DIR[:WEIGHT]" }

// Set adds an adapter. What stands behind the last colon is the weight if it is a number.
func (a *adapterFlag) Set(text string) error {
	one := weightedAdapter{text, 1}
	if at := strings.LastIndexByte(text, ':'); at >= 0 {
		if weight, err := strconv.ParseFloat(text[at+1:], 64); err == nil {
			one = weightedAdapter{text[:at], weight}
		}
	}
	if one.dir == "" {
		return usagef("must be DIR or DIR:WEIGHT")
	}
	*a = append(*a, one)
	return nil
}
