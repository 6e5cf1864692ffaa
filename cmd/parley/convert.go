package main

import "github.com/spf13/cobra"

// convertCommand holds a subcommand for each conversion, which has a file of its own.
func (a *app) convertCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "convert",
		Short:   "Turn models into others: merge adapters",
		Example: `  parley convert merge -m DIR --adapter runs/lora --out merged`,
		Args:    arguments(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.convertMergeCommand())
	return c
}
