package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/train"
)

// checkResume rejects what would say again, perhaps differently, what the run to go on with has in its recipe.
func checkResume(c *cobra.Command, args, set []string) error {
	if len(args) > 0 {
		return usagef("--resume goes on with the recipe of the run; leave %q out", args[0])
	}
	for _, name := range []string{
		"data", "valid", "test", "prompts", "reward", "out", "from", "model", "source", "target", "size", "depth", "reverse", "origin", "licence", "seed", "dry-run", "print-recipe", "cross-validate",
	} {
		if c.Flags().Changed(name) {
			return usagef("--resume goes on with the recipe of the run; leave --%s out, or change a field with --set", name)
		}
	}
	r := train.DefaultRecipe()
	for _, s := range set {
		if err := r.Set(s); err != nil {
			return &usageError{err}
		}
	}
	return nil
}

// recipe loads the recipe and applies the flags to it, --set last.
func (o *trainFlags) recipe(name string) (train.Recipe, error) {
	r, err := train.LoadRecipe(name)
	if err != nil {
		return r, err
	}
	translates, policy := r.Objective.Kind == "translation", r.Objective.Kind == "ppo" || r.Objective.Kind == "grpo"
	switch {
	case policy:
		err = o.policyData(&r)
	case o.prompts != "" || o.reward != "":
		err = usagef("--prompts and --reward are for ppo and grpo, and %s is neither", r.Name)
	case translates:
		err = o.pairData(&r)
	default:
		err = o.textData(&r)
	}
	if err != nil {
		return r, err
	}
	for _, set := range []struct {
		value string
		field *string
	}{
		{o.source, &r.Data.Source}, {o.target, &r.Data.Target}, {o.size, &r.Model.Size},
		{o.origin, &r.Data.Origin}, {o.licence, &r.Data.Licence},
	} {
		if set.value != "" {
			*set.field = set.value
		}
	}
	if o.from != "" {
		r.Model.From = o.from
	}
	r.Data.Reverse = r.Data.Reverse || o.reverse
	for _, s := range o.set {
		if err := r.Set(s); err != nil {
			return r, &usageError{err}
		}
	}
	if policy {
		return r, checkPolicy(name, &r)
	}
	dialogues := r.Objective.Kind == "dialogue"
	if dialogues && r.Model.From == "" {
		return r, usagef("%s goes on with a trained language model: -m DIR; see parley train --help", name)
	}
	if len(r.Data.Train) == 0 && dialogues && r.Data.Format != "sandbox" {
		return r, usagef("%s needs your dialogues: --data FILE.jsonl, a directory or a pattern; see parley train --help", name)
	}
	if len(r.Data.Train) == 0 && !translates && r.Data.Format != "sandbox" {
		return r, usagef("%s needs your text: --data FILE, a directory or a pattern, or - for standard input; see parley train --help", name)
	}
	if len(r.Data.Train) == 0 && r.Data.Format != "sandbox" {
		return r, usagef("%s needs your sentences: --data SOURCE,TARGET or --data FILE.tsv or --data FILE.jsonl; see parley train --help", name)
	}
	return r, nil
}

// pairData applies the flags that name sentence pairs.
func (o *trainFlags) pairData(r *train.Recipe) error {
	if o.depth != 0 {
		return usagef("--depth is for language models; --size sets that of a translator")
	}
	if o.data != "" {
		if info, err := os.Stat(o.data); err == nil && info.IsDir() {
			r.Data.Dir = o.data
		} else if r.Data.Train, r.Data.Format, err = ownFiles("--data", o.data); err != nil {
			return err
		} else {
			r.Data.Validation, r.Data.Test = nil, nil
		}
	}
	for _, set := range []struct {
		flag, value string
		files       *[]string
	}{{"--valid", o.valid, &r.Data.Validation}, {"--test", o.test, &r.Data.Test}} {
		if set.value == "" {
			continue
		}
		files, format, err := ownFiles(set.flag, set.value)
		if err != nil {
			return err
		}
		if format != r.Data.Format {
			return usagef("%s %s is %q, but the training data is %q; they must have one form", set.flag, set.value, format, r.Data.Format)
		}
		*set.files = files
	}
	return nil
}

// textData applies the flags that name documents.
func (o *trainFlags) textData(r *train.Recipe) error {
	for _, f := range []struct{ flag, value string }{{"source", o.source}, {"target", o.target}, {"size", o.size}} {
		if f.value != "" {
			return usagef("--%s is for translators, and %s is none", f.flag, r.Name)
		}
	}
	if o.test != "" && r.Objective.Kind != "classification" {
		return usagef("--test is not for language models, which are scored on --valid, or on what is held out, and %s is one", r.Name)
	}
	if o.depth != 0 && r.Objective.Kind == "dialogue" {
		return usagef("--depth: %s goes on with a model (-m DIR), which has its layers", r.Name)
	}
	if o.reverse {
		return usagef("--reverse is for translators, and %s is none", r.Name)
	}
	if info, err := os.Stat(o.data); err == nil && info.IsDir() && len(r.Data.Train) > 0 {
		r.Data.Dir = o.data // of the recipe's own files
	} else if o.data != "" {
		r.Data.Train, r.Data.Test = strings.Split(o.data, ","), nil
	}
	if o.test != "" {
		r.Data.Test = strings.Split(o.test, ",")
	}
	if o.valid != "" {
		r.Data.Validation = strings.Split(o.valid, ",")
	}
	if o.depth != 0 {
		r.Model.Depth = o.depth
	}
	return nil
}

// ownFiles recognises a person's own data by its name.
func ownFiles(flag, value string) (files []string, format string, err error) {
	if source, target, ok := strings.Cut(value, ","); ok {
		return []string{source, target}, "pair", nil
	}
	switch name := strings.TrimSuffix(value, ".gz"); filepath.Ext(name) {
	case ".tsv", ".txt":
		return []string{value}, "tsv", nil
	case ".jsonl", ".json", ".ndjson":
		return []string{value}, "jsonl", nil
	}
	what := "two files with a comma between them, a .tsv or a .jsonl"
	if flag == "--data" {
		what = "a directory that exists, " + what
	}
	return nil, "", usagef("%s %s: must be %s", flag, value, what)
}
