package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/hub"
)

func (a *app) convertHFCommand() *cobra.Command {
	var model, out string
	var force bool
	c := &cobra.Command{
		Use:   "hf -m FILE --out DIR",
		Short: "Write the model of a GGUF file as a directory, which transformers opens",
		Long: `Writes the model of a GGUF file as a directory with config.json, model.safetensors and tokenizer.json, which transformers
opens, and from which Parley trains further. Its weights keep the type of the file's matrices; quantised files are not read.

Of a file that parley convert gguf wrote, configurations and tokenizer come back as they were. Of others they are made of what
llama.cpp reads, which says less: dropout and defaults of sampling, for instance, are not in it.`,
		Example: `  parley convert hf -m model.gguf --out DIR`,
		Args:    arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if !hub.IsGGUF(model) {
				return fmt.Errorf("%s is not a GGUF file", model)
			}
			if err := mayWrite(out, force); err != nil {
				return err
			}
			if err := hub.ConvertHF(model, out); err != nil {
				return err
			}
			return a.converted(out, nil)
		},
	}
	f := c.Flags()
	f.StringVarP(&model, "model", "m", "", "GGUF file")
	f.StringVarP(&out, "out", "o", "", "directory to write")
	f.BoolVar(&force, "force", false, "replace the directory if there is one; one that holds no model is never replaced")
	c.MarkFlagRequired("model")
	c.MarkFlagRequired("out")
	return c
}
