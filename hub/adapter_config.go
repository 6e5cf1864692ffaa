package hub

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/parley-lm/parley/model"
)

const (
	adapterConfigFile  = "adapter_config.json"
	adapterWeightsFile = "adapter_model.safetensors"
)

// The kinds of models that adapters are for, in PEFT's words.
const (
	causalTask   = "CAUSAL_LM"
	sequenceTask = "SEQ_CLS"   // model.LastToken
	tokenTask    = "TOKEN_CLS" // model.SumOfTokens
)

// classifierTask is that of a classifier.
func classifierTask(p model.Pooling) string {
	if p == model.SumOfTokens {
		return tokenTask
	}
	return sequenceTask
}

// adapterTask reads for what kind of model an adapter is.
func adapterTask(c *Config) (string, error) {
	task, err := c.StringOr("task_type", causalTask)
	if err != nil || !slices.Contains([]string{causalTask, sequenceTask, tokenTask}, task) {
		return "", c.errorf("task_type", fmt.Sprintf("%q, %q or %q", causalTask, sequenceTask, tokenTask))
	}
	return task, nil
}

// parseLoRA reads the keys of PEFT's LoraConfig. Whatever would compute something else than Parley does is an error that
// names the key.
func parseLoRA(c *Config) (model.LoRAConfig, error) {
	var l model.LoRAConfig
	if kind, err := c.StringOr("peft_type", ""); err != nil || kind != "LORA" {
		return l, c.errorf("peft_type", `"LORA", the only kind of adapter that is supported`)
	}
	if err := mustBePlain(c); err != nil {
		return l, err
	}
	var err error
	if l.Rank, err = c.IntOr("r", 1, math.MaxInt32, 8); err != nil {
		return l, err
	}
	if l.Alpha, err = c.FloatOr("lora_alpha", 8); err != nil {
		return l, err
	}
	dropout, err := c.FloatOr("lora_dropout", 0)
	if err != nil || dropout < 0 || dropout >= 1 {
		return l, c.errorf("lora_dropout", "a number from 0 to below 1")
	}
	l.Dropout = float32(dropout)
	if l.RankStabilized, err = c.BoolOr("use_rslora", false); err != nil {
		return l, err
	}
	if l.Decomposed, err = c.BoolOr("use_dora", false); err != nil {
		return l, err
	}
	if l.Bias, err = c.StringOr("bias", "none"); err != nil || !slices.Contains([]string{"none", "lora_only", "all"}, l.Bias) {
		return l, c.errorf("bias", `"none", "lora_only" or "all"`)
	}
	if l.Targets, err = modulesOf(c, "target_modules"); err != nil {
		return l, err
	}
	if l.Exclude, err = modulesOf(c, "exclude_modules"); err != nil {
		return l, err
	}
	if l.Layers, err = c.Ints("layers_to_transform"); err != nil {
		return l, err
	}
	if len(l.Layers) == 0 {
		l.Layers = nil
	}
	pattern, err := modulesOf(c, "layers_pattern")
	if err != nil {
		return l, err
	}
	if l.LayersPattern = pattern.Names; pattern.Pattern != "" {
		l.LayersPattern = []string{pattern.Pattern}
	}
	if l.RankPattern, err = patternsOf[int](c, "rank_pattern"); err != nil {
		return l, err
	}
	if l.AlphaPattern, err = patternsOf[float64](c, "alpha_pattern"); err != nil {
		return l, err
	}
	saved, err := modulesOf(c, "modules_to_save")
	if err == nil && saved.Pattern != "" {
		err = c.errorf("modules_to_save", "a list of names of modules")
	}
	l.Save = saved.Names
	return l, err
}

// mustBePlain refuses what changes the arithmetic of LoRA.
func mustBePlain(c *Config) error {
	for _, key := range []string{"lora_bias", "use_qalora"} {
		if on, err := c.BoolOr(key, false); err != nil || on {
			return c.errorf(key, "false: it is not supported")
		}
	}
	for _, key := range []string{
		"layer_replication", "ensure_weight_tying", "trainable_token_indices", "target_parameters", "alora_invocation_tokens",
		"use_bdlora", "arrow_config", "kasa_config", "velora_config", "monteclora_config",
	} {
		if c.Has(key) && !slices.Contains([]string{"[]", "{}", "false"}, string(c.fields[key])) {
			return c.errorf(key, "null: it is not supported")
		}
	}
	// PiSSA, OLoRA and the like change the base when an adapter is opened.
	var start any
	if c.Has("init_lora_weights") && json.Unmarshal(c.fields["init_lora_weights"], &start) == nil {
		if name, ok := start.(string); ok && !slices.Contains([]string{"gaussian", "eva", "orthogonal", "loftq"}, name) {
			return c.errorf("init_lora_weights", `true, false or "gaussian": others change the base model`)
		}
	}
	return nil
}

// modulesOf reads a list of names, or a string that is a pattern.
func modulesOf(c *Config, key string) (model.Modules, error) {
	var m model.Modules
	if !c.Has(key) || json.Unmarshal(c.fields[key], &m.Names) == nil || json.Unmarshal(c.fields[key], &m.Pattern) == nil {
		return m, nil
	}
	return m, c.errorf(key, "a list of names of modules, or a pattern")
}

// patternsOf reads an object of numbers in the order in which they stand there, which decides where several keys match.
func patternsOf[T int | float64](c *Config, key string) ([]model.Pattern[T], error) {
	var list []model.Pattern[T]
	if !c.Has(key) {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(c.fields[key]))
	err := eachField(d, func(name string) error {
		p := model.Pattern[T]{Key: name}
		list = append(list, p)
		return d.Decode(&list[len(list)-1].Value)
	})
	if err != nil {
		return nil, c.errorf(key, "an object that gives names of modules their numbers")
	}
	return list, nil
}

// loraFields is what adapter_config.json holds, with every key that PEFT 0.6 and later need or write in any case.
func loraFields(l model.LoRAConfig, task, base string, conv1D bool) map[string]any {
	var targets, exclude any = l.Targets.Names, nil
	if l.Targets.Pattern != "" {
		targets = l.Targets.Pattern
	}
	if l.Exclude.Pattern != "" {
		exclude = l.Exclude.Pattern
	} else if l.Exclude.Names != nil {
		exclude = l.Exclude.Names
	}
	return map[string]any{
		"peft_type": "LORA", "task_type": task, "base_model_name_or_path": base, "revision": nil, "inference_mode": true,
		"r": l.Rank, "lora_alpha": plainNumber(l.Alpha), "lora_dropout": l.Dropout, "use_rslora": l.RankStabilized, "bias": cmp.Or(l.Bias, "none"),
		"target_modules": targets, "exclude_modules": exclude, "fan_in_fan_out": conv1D, "init_lora_weights": true,
		"layers_to_transform": l.Layers, "layers_pattern": l.LayersPattern, "modules_to_save": l.Save, "use_dora": l.Decomposed,
		"rank_pattern": patternFields(l.RankPattern), "alpha_pattern": patternFields(l.AlphaPattern),
		"auto_mapping": nil, "loftq_config": map[string]any{}, "megatron_config": nil, "megatron_core": "megatron.core",
	}
}

// plainNumber is x as a whole number where it is one.
func plainNumber(x float64) any {
	if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		return int64(x)
	}
	return x
}

// patternFields keeps the order of the patterns.
func patternFields[T int | float64](list []model.Pattern[T]) json.RawMessage {
	text := []byte("{")
	for i, p := range list {
		if i > 0 {
			text = append(text, ',')
		}
		text = fmt.Appendf(append(appendJSON(text, p.Key), ':'), "%v", p.Value)
	}
	return append(text, '}')
}
