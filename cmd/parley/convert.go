package main

import "github.com/spf13/cobra"

// convertCommand holds a subcommand for each conversion, which has a file of its own.
func (a *app) convertCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "convert",
		Short: "Turn models into others: GGUF for llama.cpp, a directory of GGUF, one model of base and adapters",
		Example: `  parley convert gguf -m DIR --out model.gguf
  parley convert hf -m model.gguf --out DIR
  parley convert merge -m DIR --adapter runs/lora --out merged`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.convertGGUFCommand(), a.convertHFCommand(), a.convertMergeCommand())
	return c
}
