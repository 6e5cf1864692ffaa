package main

import "github.com/spf13/cobra"

func (a *app) convertCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "convert",
		Short: "Write a model in another format: GGUF for llama.cpp, a directory for transformers",
		Example: `  parley convert gguf -m DIR --out model.gguf
  parley convert hf -m model.gguf --out DIR`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.convertGGUFCommand(), a.convertHFCommand())
	return c
}
