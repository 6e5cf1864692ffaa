package model

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/nn"
)

// LoRAConfig says what a LoRA updates and how strongly, in the words and with the meaning of PEFT's LoraConfig.
type LoRAConfig struct {
	Rank           int
	Alpha          float64
	RankStabilized bool // scale by alpha/√rank instead of alpha/rank
	Dropout        float32
	Decomposed     bool // DoRA (Liu et al. 2024)
	// Targets are names of modules, or ends of names after a dot, as "q_proj" or "attn.c_proj".
	Targets Modules
	Exclude Modules // are left out, whatever Targets says

	Layers        []int    // only these; nil: all
	LayersPattern []string // what stands before a layer's number in names; empty: anything

	// RankPattern and AlphaPattern give some modules a rank or an alpha of their own. A key matches the end of a name after
	// a dot, and is a regular expression; the first one that matches counts.
	RankPattern  []Pattern[int]
	AlphaPattern []Pattern[float64]

	// Bias says which biases the adapter has numbers of its own for: "none" or "", "lora_only" (those of the layers that are updated)
	// or "all".
	Bias string

	// Save names modules of the model that are trained as a whole beside the updates, or rather copies of them: the embedding, or
	// the output layer. That of a classifier's head always is.
	Save []string
}

// Modules are names of modules or ends of names, or instead of them a regular expression for whole names.
type Modules struct {
	Names   []string
	Pattern string
}

// Pattern is a value for modules whose names match.
type Pattern[T int | float64] struct {
	Key   string
	Value T
}

// AllLinear stands, as the only target, for every linear layer but the output layer.
const AllLinear = "all-linear"

// defaultTargets are what PEFT updates where nothing is said, by model_type.
var defaultTargets = map[string][]string{
	"gpt2":    {"c_attn"},
	"llama":   {"q_proj", "v_proj"},
	"mistral": {"q_proj", "v_proj"},
	"qwen2":   {"q_proj", "v_proj"},
	"qwen3":   {"q_proj", "v_proj"},
}

// LinearModules returns the names of all linear layers but the output layer.
func (m *Decoder) LinearModules() []string {
	var names []string
	for _, p := range m.Params() {
		if name, ok := strings.CutSuffix(p.Name, ".weight"); ok && p.IsLinear() {
			names = append(names, name)
		}
	}
	return names
}

// ResolveTargets fills in PEFT's default where no target is given, and the names that "all-linear" stands for.
func (m *Decoder) ResolveTargets(c *LoRAConfig) {
	t := &c.Targets
	switch {
	case len(t.Names) == 0 && t.Pattern == "":
		t.Names = slices.Clone(defaultTargets[m.Config.ModelType])
	case slices.Equal(t.Names, []string{AllLinear}) || strings.EqualFold(t.Pattern, AllLinear):
		*t = Modules{}
		for _, name := range m.LinearModules() {
			short := name[strings.LastIndexByte(name, '.')+1:]
			if !slices.Contains(t.Names, short) {
				t.Names = append(t.Names, short)
			}
		}
	}
}

// NewLoRA describes a LoRA for the model: see [nn.NewLoRA]. A target that no linear layer has is an error that lists those.
func (m *Decoder) NewLoRA(c LoRAConfig) (*nn.LoRA, error) {
	if c.Rank < 1 || c.Rank > nn.MaxRank {
		return nil, fmt.Errorf("a rank of %d; it must be from 1 to %d", c.Rank, nn.MaxRank)
	}
	if !(math.Abs(c.Alpha) <= math.MaxFloat32) {
		return nil, fmt.Errorf("an alpha of %g; it must be a number", c.Alpha)
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		return nil, fmt.Errorf("a dropout of %g; it must be at least 0 and below 1", c.Dropout)
	}
	m.ResolveTargets(&c)
	match, err := c.matcher()
	if err != nil {
		return nil, err
	}
	var modules []nn.LoRAModule
	for _, name := range m.LinearModules() {
		if match.targeted(name) {
			modules = append(modules, c.module(match, name))
		}
	}
	tables := slices.DeleteFunc(m.tables(), func(t loraTable) bool { return !match.targeted(t.module) })
	if len(modules)+len(tables) == 0 {
		return nil, fmt.Errorf("no linear layer of the model is among the targets %s; it has %s", c.Targets, strings.Join(m.shortNames(), ", "))
	}
	for _, t := range c.Targets.Names {
		aTable := slices.ContainsFunc(tables, func(x loraTable) bool { return named(x.module, t) })
		if !aTable && !slices.ContainsFunc(m.LinearModules(), func(name string) bool { return named(name, t) }) {
			return nil, fmt.Errorf("target %q is not a linear layer of the model; it has %s", t, strings.Join(m.shortNames(), ", "))
		}
	}
	l, err := nn.NewLoRA(m.Store(), modules, c.Dropout)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if c.Decomposed {
			return nil, fmt.Errorf("use_dora: the embedding and the output layer cannot be among the targets of DoRA; %q is", t.module)
		}
		if slices.ContainsFunc(c.Save, func(name string) bool { return named(t.module, name) }) {
			return nil, fmt.Errorf("modules_to_save and target_modules both name %q", t.module)
		}
		l.UpdateTable(m.Store(), t.parameter, t.used, c.module(match, t.module), t.module != "lm_head")
	}
	m.exchangeBiases(l, c.Bias, modules)
	return l, m.replace(l, c.Save)
}

// exchangeBiases has a LoRA hold biases, under the names that PEFT gives them.
func (m *Decoder) exchangeBiases(l *nn.LoRA, which string, modules []nn.LoRAModule) {
	for _, p := range m.Params() {
		name, ok := strings.CutSuffix(p.Name, ".bias")
		if !ok || which == "" || which == "none" || slices.Contains(headModules, name) {
			continue
		}
		updated := slices.ContainsFunc(modules, func(x nn.LoRAModule) bool { return x.Name == name })
		switch {
		case updated:
			l.ExchangeVector(p, name+".base_layer.bias")
		case which == "all":
			l.ExchangeVector(p, p.Name)
		}
	}
}

// module is what a LoRA does with the module of a name.
func (c *LoRAConfig) module(x *matcher, name string) nn.LoRAModule {
	m := nn.LoRAModule{Name: name, Rank: x.ranks.of(name, c.Rank), Decomposed: c.Decomposed}
	root := float64(m.Rank)
	if c.RankStabilized {
		root = math.Sqrt(root)
	}
	m.Scale = x.alphas.of(name, c.Alpha) / root
	return m
}

// loraTable is the embedding or the output layer.
type loraTable struct {
	module, parameter string
	used              **grad.Param
}

// tables are those of the model, the embedding first.
func (m *Decoder) tables() []loraTable {
	embedding := "model.embed_tokens"
	if m.Config.ModelType == "gpt2" {
		embedding = "transformer.wte"
	}
	list := []loraTable{{embedding, embedding + ".weight", &m.tokens}}
	switch {
	case m.output == nil:
	case m.Config.TieEmbeddings:
		list = append(list, loraTable{"lm_head", embedding + ".weight", &m.output})
	default:
		list = append(list, loraTable{"lm_head", "lm_head.weight", &m.output})
	}
	return list
}

// Untied returns a copy of a model with a tied embedding in which the output layer is a matrix of its own.
func (m *Decoder) Untied() (*Decoder, error) {
	c := m.Config
	c.TieEmbeddings = false
	u, err := NewDecoder(c)
	if err != nil {
		return nil, err
	}
	of := map[string]*nn.Param{}
	for _, p := range m.Params() {
		of[p.Name] = p
	}
	for _, p := range u.Params() {
		if from := of[p.Name]; from != nil {
			copy(p.Data, from.Data)
		} else {
			copy(p.Data, m.output.Value.Data)
		}
	}
	return u, nil
}

// replace has copies of modules trained beside a LoRA. With a tied embedding it is the embedding alone that is copied, or the output
// layer alone: they part.
func (m *Decoder) replace(l *nn.LoRA, modules []string) error {
	tables := m.tables()
	for _, name := range modules {
		if !slices.ContainsFunc(tables, func(t loraTable) bool { return named(t.module, name) }) {
			return fmt.Errorf("modules_to_save: %q is not the embedding (%s) nor the output layer (lm_head), the modules of which copies are supported", name, tables[0].module)
		}
	}
	for _, t := range tables {
		if slices.ContainsFunc(modules, func(name string) bool { return named(t.module, name) }) {
			l.Replace(m.Store(), t.parameter, t.used, t.module+".weight")
		}
	}
	return nil
}

func (m *Decoder) shortNames() []string {
	c := LoRAConfig{Targets: Modules{Pattern: AllLinear}}
	m.ResolveTargets(&c)
	return c.Targets.Names
}

func (m Modules) String() string {
	if m.Pattern != "" {
		return fmt.Sprintf("%q", m.Pattern)
	}
	return fmt.Sprintf("%q", m.Names)
}

// named says whether name is end, or ends in it after a dot.
func named(name, end string) bool { return name == end || strings.HasSuffix(name, "."+end) }

// matcher is the patterns of a LoRAConfig, compiled.
type matcher struct {
	targets, exclude func(name string) bool
	layers           []int
	before           []*regexp.Regexp // a layer's number
	ranks            patterns[int]
	alphas           patterns[float64]
}

type patterns[T int | float64] []struct {
	match *regexp.Regexp
	value T
}

func (p patterns[T]) of(name string, otherwise T) T {
	for _, x := range p {
		if x.match.MatchString(name) {
			return x.value
		}
	}
	return otherwise
}

func (c *LoRAConfig) matcher() (*matcher, error) {
	x := &matcher{layers: c.Layers}
	var errs [6]error
	x.targets, errs[0] = c.Targets.matcher("target_modules")
	x.exclude, errs[1] = c.Exclude.matcher("exclude_modules")
	x.ranks, errs[2] = compilePatterns("rank_pattern", c.RankPattern)
	x.alphas, errs[3] = compilePatterns("alpha_pattern", c.AlphaPattern)
	before := c.LayersPattern
	if len(before) == 0 {
		before = []string{`[^.]*`}
	}
	for _, b := range before {
		r, err := compile("layers_pattern", `^(?:.*?\.)?`+b+`\.(\d+)\.`)
		x.before, errs[4] = append(x.before, r), errors.Join(errs[4], err)
	}
	for _, r := range x.ranks {
		if r.value < 1 || r.value > nn.MaxRank {
			errs[5] = fmt.Errorf("rank_pattern: a rank of %d; it must be from 1 to %d", r.value, nn.MaxRank)
		}
	}
	return x, errors.Join(errs[:]...)
}

// targeted says whether the LoRA updates a module.
func (x *matcher) targeted(name string) bool {
	if !x.targets(name) || x.exclude(name) {
		return false
	}
	if x.layers == nil {
		return true
	}
	for _, r := range x.before {
		if found := r.FindStringSubmatch(name); found != nil {
			return slices.ContainsFunc(x.layers, func(i int) bool { return fmt.Sprint(i) == found[1] })
		}
	}
	return false
}

func (m Modules) matcher(key string) (func(name string) bool, error) {
	if m.Pattern != "" {
		r, err := compile(key, `^(?:`+m.Pattern+`)$`)
		if err != nil {
			return nil, err
		}
		return r.MatchString, nil
	}
	return func(name string) bool {
		return slices.ContainsFunc(m.Names, func(end string) bool { return named(name, end) })
	}, nil
}

func compilePatterns[T int | float64](key string, list []Pattern[T]) (patterns[T], error) {
	var p patterns[T]
	for _, x := range list {
		r, err := compile(key, `^(?:.*\.)?(?:`+x.Key+`)$`)
		if err != nil {
			return nil, err
		}
		p = append(p, struct {
			match *regexp.Regexp
			value T
		}{r, x.Value})
	}
	return p, nil
}

func compile(key, pattern string) (*regexp.Regexp, error) {
	r, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return r, nil
}
