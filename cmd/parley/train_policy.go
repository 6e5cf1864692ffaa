package main

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/parley-lm/parley/quickstart"
	"github.com/parley-lm/parley/train"
)

// policyData applies the flags that say what a policy is asked, and how its answers are judged.
func (o *trainFlags) policyData(r *train.Recipe) error {
	for _, f := range []struct{ flag, value string }{{"test", o.test}, {"source", o.source}, {"target", o.target}, {"size", o.size}} {
		if f.value != "" {
			return usagef("--%s is for translators, and %s is reinforcement learning", f.flag, r.Name)
		}
	}
	switch {
	case o.reverse:
		return usagef("--reverse is for translators, and %s is reinforcement learning", r.Name)
	case o.depth != 0:
		return usagef("--depth is for new language models, and %s goes on with a trained one (-m DIR)", r.Name)
	case o.data != "" && o.prompts != "":
		return usagef("--data and --prompts both name the prompts; give one of them")
	}
	if info, err := os.Stat(o.data); err == nil && info.IsDir() && len(r.Data.Train) > 0 {
		r.Data.Dir = o.data // of the recipe's own files
	} else if prompts := o.prompts + o.data; prompts != "" {
		r.Data.Train = strings.Split(prompts, ",")
	}
	if o.valid != "" {
		r.Data.Validation = strings.Split(o.valid, ",")
	}
	switch {
	case o.reward == "":
	case slices.Contains(rewardKinds(), o.reward):
		r.Reward.Kind, r.Reward.Model = o.reward, ""
	default:
		r.Reward.Kind, r.Reward.Model = "model", o.reward
	}
	return nil
}

// rewardKinds are the rewards that --reward knows by name; anything else is a reward model's directory.
func rewardKinds() []string {
	kinds := slices.DeleteFunc(train.RewardKinds(), func(kind string) bool { return kind == "model" })
	return append(kinds, slices.Sorted(maps.Keys(quickstart.Rewards()))...)
}

// checkPolicy says what a recipe of reinforcement learning still lacks.
func checkPolicy(name string, r *train.Recipe) error {
	switch {
	case r.Model.From == "":
		return usagef("%s needs the model that is to learn: -m DIR; see parley train --help", name)
	case len(r.Data.Train) == 0:
		return usagef("%s needs prompts to answer: --prompts FILE, one a line, or JSONL with messages or prompt; see parley train --help", name)
	case r.Reward.Kind == "":
		return usagef("%s needs to know what is rewarded: --reward DIR, a reward model, or one of %s; see parley train --help", name, strings.Join(rewardKinds(), ", "))
	}
	return nil
}
